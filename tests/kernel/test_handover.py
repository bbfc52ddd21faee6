"""Connections that were open before the uplink moved go on after it, either way."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from threading import Event, Thread

import pytest
from attrs import define, field

from nftnsr.kernel.machine import Machine
from nftnsr.kernel.namespaces import Room
from nftnsr.spec import parse
from nftnsr.spec.model import Spec
from nftnsr.state.difference import difference
from nftnsr.state.operations import Operation
from nftnsr.transaction import records
from nftnsr.transaction.apply import Refused, apply_spec, roll_back, take_down
from nftnsr.transaction.intents import diff_intent
from nftnsr.transaction.transact import Undone

from .conftest import ARTICLE, Segment, assert_same, everything, sh
from .test_undo import Faulty

TCP, UDP = socket.SOCK_STREAM, socket.SOCK_DGRAM
FAR, FAR6 = "9.9.9.9", "2001:db8:9::9"
ROOT = Path(__file__).parents[2]


@define
class Internet:
    """A machine beyond the provider, and the sockets to close in the end."""

    far: Room
    stack: ExitStack = field(factory=ExitStack)

    def server(self, kind: socket.SocketKind, port: int, room: Room | None = None,
               family: socket.AddressFamily = socket.AF_INET) -> socket.socket:  # fmt: skip
        def make() -> socket.socket:
            made = socket.socket(family, kind)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind(("", port))
            if kind == TCP:
                made.listen()
            made.settimeout(5)
            return made

        return self.stack.enter_context(make() if room is None else room.run(make))

    def connect(self, kind: socket.SocketKind, address: str, port: int,
                room: Room | None = None) -> socket.socket:  # fmt: skip
        def make() -> socket.socket:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            made = socket.socket(family, kind)
            made.settimeout(5)
            made.connect((address, port))
            return made

        return self.stack.enter_context(make() if room is None else room.run(make))

    def accept(self, listener: socket.socket) -> socket.socket:
        made = self.stack.enter_context(listener.accept()[0])
        made.settimeout(5)
        return made


@pytest.fixture
def internet(segment: Segment) -> Iterator[Internet]:
    with Room.scratch() as far:
        thread = far.run(lambda: Path("/proc/thread-self").readlink().name)
        sh(f"""
          ip link add i0 type veth peer name far netns {thread}
          ip address add 9.9.9.1/24 dev i0
          ip address add 2001:db8:9::1/64 dev i0 nodad
          ip link set i0 up
          sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
        """, segment.provider)  # fmt: skip
        sh(f"""
          ip link set lo up
          ip address add {FAR}/24 dev far
          ip address add {FAR6}/64 dev far nodad
          ip link set far up
          ip route add default via 9.9.9.1
          ip -6 route add default via 2001:db8:9::1
        """, far)  # fmt: skip
        made = Internet(far)
        with made.stack:
            yield made


@define
class Talk:
    """A ping-pong between two sockets that goes on until it is stopped; how long it ever stood."""

    one: socket.socket
    other: socket.socket
    again: float | None = None
    worst: float = 0
    rounds: int = 0
    _stop: Event = field(factory=Event)
    _threads: list[Thread] = field(factory=list)

    def __enter__(self) -> Talk:
        self._threads = [Thread(target=self._answer), Thread(target=self._ask)]
        for thread in reversed(self._threads):
            thread.start()
        time.sleep(0.1)
        return self

    def __exit__(self, *_: object) -> None:
        time.sleep(0.3)
        before = self.rounds
        time.sleep(0.3)
        # Who asks stops first: nobody would answer the last question.
        self._stop.set()
        for thread in reversed(self._threads):
            thread.join()
        assert self.rounds > before, "it stands still"
        # One that never goes on stands for 5 s; how long others do is the bench's business.
        assert self.worst < 4

    def ping(self) -> None:
        self.one.send(b"one ping")
        assert self.other.recv(8) == b"one ping"

    def _answer(self) -> None:
        self.other.settimeout(0.2)
        while self._threads[1].is_alive():
            try:
                self.other.send(self.other.recv(8))
            except OSError:
                continue

    def _ask(self) -> None:
        """A datagram that is lost is sent again soon, as a real protocol over UDP would do."""
        self.one.settimeout(self.again or 5)
        while not self._stop.is_set():
            number = self.rounds.to_bytes(8, "big")
            start = time.monotonic()
            answer = b""
            unsent = True
            while answer != number and time.monotonic() - start < 5:
                try:
                    if unsent:
                        self.one.send(number)
                    unsent = False
                    # The answer to one that was sent twice may still come.
                    answer = self.one.recv(8)
                except OSError:
                    unsent = True
                    time.sleep(0.005)
            self.worst = max(self.worst, time.monotonic() - start)
            self.rounds += 1
            time.sleep(0.001)


def tcp_in(internet: Internet, port: int = 2222) -> Talk:
    """A connection that a client far away opened to the host."""
    listener = internet.server(TCP, port)
    client = internet.connect(TCP, "1.2.3.4", port, internet.far)
    return Talk(client, internet.accept(listener))


def tcp_out(internet: Internet, port: int = 7777) -> Talk:
    """A connection that the host opened, over which the far end speaks first."""
    listener = internet.server(TCP, port, internet.far)
    client = internet.connect(TCP, FAR, port)
    return Talk(internet.accept(listener), client)


def udp_out(internet: Internet, port: int = 7778) -> Talk:
    server = internet.server(UDP, port, internet.far)
    client = internet.connect(UDP, FAR, port)
    client.send(b"hello")
    server.connect(server.recvfrom(10)[1])
    return Talk(client, server, again=0.05)


def down(machine: Machine) -> None:
    take_down(machine, [r for n in records.names() if (r := records.read(n))])


def drift(machine: Machine, spec: Spec) -> tuple[object, ...]:
    intent, found = diff_intent(machine, spec)
    return difference(intent.goal.wanted, found, intent.goal.ours)


def traces() -> str:
    """All that a handover leaves while it lasts."""
    return sh("ip -4 address show dev lo | grep -w inet | grep -v 127.0.0.1; "
              "nft list ruleset | grep -o nftnsr_.*; "
              "! ip netns exec ens3 nft list ruleset 2>/dev/null | grep -o nftnsr_.*",
              check=False)  # fmt: skip


KINDS: dict[str, Callable[[Internet], Talk]] = {"in": tcp_in, "out": tcp_out, "udp": udp_out}


@pytest.mark.parametrize("tracked", [False, True], ids=["", "tracked"])
@pytest.mark.parametrize("kind", KINDS)
def test_connection_survives_the_first_apply_and_down(
    machine: Machine, internet: Internet, article: Spec, kind: str, tracked: bool
) -> None:
    """Whether or not the host's own firewall tracks it already."""
    if tracked:
        sh("nft 'add table ip mine; add chain ip mine c { type filter hook input priority 0; }; "
           "add rule ip mine c ct state established accept'")  # fmt: skip
    talk = KINDS[kind](internet)
    before = everything()
    with talk:
        apply_spec(machine, article)
    print(f"{kind} apply: worst {talk.worst * 1000:.0f} ms of {talk.rounds} rounds")
    assert "1.2.3.4/32" in traces()
    assert drift(machine, article) == ()
    again = everything()
    assert apply_spec(machine, article).operations == ()
    assert_same(everything(), again)
    talk = Talk(talk.one, talk.other, talk.again)
    with talk:
        down(machine)
    print(f"{kind} down: worst {talk.worst * 1000:.0f} ms of {talk.rounds} rounds")
    assert_same(everything(), before)


def test_traces_go_with_the_last_socket(
    machine: Machine, internet: Internet, article: Spec
) -> None:
    first, second = tcp_in(internet), tcp_out(internet)
    apply_spec(machine, article)
    port = first.one.getsockname()[1]
    assert str(port) in sh("nft list table ip nftnsr_handover_ens3")
    with first:
        pass
    closed(first)
    assert drift(machine, article) == ()
    apply_spec(machine, article)
    assert str(port) not in sh("nft list table ip nftnsr_handover_ens3")
    with second:
        assert "1.2.3.4/32" in traces()
    closed(second)
    assert drift(machine, article) == ()
    apply_spec(machine, article)
    assert traces() == ""
    assert apply_spec(machine, article).operations == ()


def test_connections_of_the_router_survive_down_and_the_next_apply(
    machine: Machine, internet: Internet
) -> None:
    spec = parse(ARTICLE.replace('"22/tcp"', '"22/tcp -> :2222"'), "spec.toml")
    before = everything()
    apply_spec(machine, spec)
    listener = internet.server(TCP, 2222)
    client = internet.connect(TCP, "1.2.3.4", 22, internet.far)  # another port than the socket's
    talks = [Talk(client, internet.accept(listener)), _masqueraded_to_another_port(internet),
             udp_out(internet)]  # fmt: skip
    for step in (
        lambda: down(machine),
        lambda: apply_spec(machine, spec),
        lambda: apply_spec(machine, spec),
        lambda: down(machine),
    ):
        talks = [Talk(t.one, t.other, t.again) for t in talks]
        with ExitStack() as stack:
            for talk in talks:
                stack.enter_context(talk)
            step()
        print("worst", *(f"{talk.worst * 1000:.0f}" for talk in talks), "ms")
    assert "192.168.158.2/32" in traces()
    there = everything()
    down(machine)
    assert_same(everything(), there)
    assert records.names() == ("ens3",)
    closed(*talks)
    down(machine)
    assert traces() == ""
    assert_same(everything(), before)
    assert records.names() == ()


def test_router_can_come_back_while_connections_last_from_which_it_went(
    machine: Machine, internet: Internet, article: Spec
) -> None:
    """Our own table names the uplink then; that says nothing about the host's firewall."""
    apply_spec(machine, article)
    talk = tcp_in(internet, 22)
    down(machine)
    assert "nftnsr_return_ens3" in traces()
    with Talk(talk.one, talk.other, talk.again):
        apply_spec(machine, article, cautious=True)
    sh("nft 'add table ip mine; add chain ip mine c; add rule ip mine c iifname ens3 accept'")
    down(machine)
    with pytest.raises(Refused, match="the host's own nftables rules name ens3"):
        apply_spec(machine, article, cautious=True)


def test_connections_of_the_router_survive_a_rollback(
    machine: Machine, internet: Internet, article: Spec
) -> None:
    before = everything()
    apply_spec(machine, article)
    talk = tcp_in(internet, 22)
    with talk:
        outcome = roll_back(machine)
    assert outcome is not None
    (remark,) = outcome.remarks
    assert "connections over router ens3 go on" in remark.message
    assert "192.168.158.2/32" in traces()
    closed(talk)
    down(machine)
    assert_same(everything(), before)
    assert records.names() == ()


@define
class Chatty(Faulty):
    """A machine on which a connection says something before every operation, and after it."""

    talk: Talk = field(kw_only=True)

    def perform(self, operation: Operation) -> None:
        self._say()
        Faulty.perform(self, operation)
        self._say()

    def _say(self) -> None:
        for end in (self.talk.one, self.talk.other):
            with suppress(OSError):  # there may be no way to the other end
                end.send(b"anything")

    def assert_that_it_goes_on(self) -> None:
        for one, other in ((self.talk.one, self.talk.other), (self.talk.other, self.talk.one)):
            other.settimeout(0.5)
            # Not at the first try: an ICMP error to what was said before may wait to be told.
            assert any(self._arrives(one, other) for _ in range(10)), f"operation {self.number}"

    @staticmethod
    def _arrives(one: socket.socket, other: socket.socket) -> bool:
        with suppress(OSError):
            one.send(b"one ping")
            while other.recv(8) != b"one ping":
                pass  # What was said before may still come.
            return True
        return False


@pytest.mark.parametrize("name", ["apply", "down"])
def test_nothing_said_between_two_operations_misleads_connection_tracking(
    internet: Internet, article: Spec, name: str
) -> None:
    """An entry that is made before the last rule and route hold would translate as they did not.

    So it is where an operation fails and all are undone, whatever was said until then.
    """
    talk = udp_out(internet)
    with Chatty(talk=talk) as machine:
        act = partial(apply_spec, machine, article)
        if name == "down":
            act()
            machine.assert_that_it_goes_on()
            act = partial(down, machine)
        for number in range(1, 200):
            machine.number, machine.count, machine.before = number, 0, fail
            with suppress(Undone):
                act()
                break
            machine.assert_that_it_goes_on()
        assert number > 10
        machine.assert_that_it_goes_on()


def closed(*talks: Talk) -> None:
    """Close them, and wait for the far ends to agree."""
    ports = {s.getsockname()[1] for t in talks for s in (t.one, t.other)}
    for talk in talks:
        talk.other.close()
        talk.one.close()
    deadline = time.monotonic() + 5
    with Machine() as machine:
        while any(c.local_port in ports for c in machine.connections()):
            assert time.monotonic() < deadline
            time.sleep(0.02)


def _masqueraded_to_another_port(internet: Internet) -> Talk:
    """From a port that a connection of the router itself to the same server has taken."""
    listener = internet.server(TCP, 7777, internet.far)
    with Room.named("ens3") as router:
        taken = internet.connect(TCP, FAR, 7777, router)
        port = taken.getsockname()[1]
        internet.accept(listener).close()
    one = internet.stack.enter_context(socket.socket())
    one.bind(("", port))
    one.settimeout(5)
    one.connect((FAR, 7777))
    other, peer = listener.accept()
    assert peer[0] == "1.2.3.4" and peer[1] != port
    taken.close()
    return Talk(internet.stack.enter_context(other), one)


def fail(_: Operation) -> None:
    raise RuntimeError("not today")


@pytest.mark.parametrize("name", ["first apply", "down"])
def test_failure_in_the_middle_leaves_nothing_and_cuts_nobody(
    internet: Internet, name: str
) -> None:
    spec = parse(ARTICLE, "spec.toml")
    talks = [tcp_in(internet), tcp_out(internet), udp_out(internet)]
    act: Callable[[Machine], object] = lambda machine: apply_spec(machine, spec)  # noqa: E731
    if name == "down":
        with Machine() as machine:
            act(machine)
        # What was masqueraded the kernel forgets when the uplink leaves: here the host must speak.
        out = tcp_out(internet, 8888)
        talks += [tcp_in(internet, 22), Talk(out.other, out.one)]
        act = down
    found = everything()
    for number in range(1, 200, 1 if name == "down" else 3):
        with Faulty(number=number, before=fail) as machine:
            try:
                act(machine)
                break
            except Undone as undone:
                assert "today" in str(undone)
        assert_same(everything(), found)
        for talk in talks:
            talk.ping()
    assert number > 20
    for talk in talks:
        with talk:
            pass


def test_ipv6_connection_of_an_address_that_the_host_keeps_lives_on(
    machine: Machine, internet: Internet, article: Spec
) -> None:
    listener = internet.server(TCP, 2222, family=socket.AF_INET6)
    client = internet.connect(TCP, "2123:2134:abc:ddd::2", 2222, internet.far)
    talk = Talk(client, internet.accept(listener))
    for step in (lambda: apply_spec(machine, article), lambda: down(machine)):
        talk = Talk(talk.one, talk.other)
        with talk:
            step()
            assert traces() == ""
        print(f"worst {talk.worst * 1000:.0f} ms")


LTE = """
[router.ens3.uplinks.lte]
uplink    = "ens4"
addresses = ["5.6.7.8/24"]
gateways  = ["5.6.7.1"]
"""


def test_connection_stays_on_its_uplink_though_the_host_speaks_first(
    machine: Machine, segment: Segment, internet: Internet
) -> None:
    thread = segment.provider.run(lambda: Path("/proc/thread-self").readlink().name)
    sh(f"""
      ip link add ens4 type veth peer name p1 netns {thread}
      ip address add 5.6.7.8/24 dev ens4
      ip link set ens4 up
      ip route add default via 5.6.7.1 dev ens4 table 100
      ip rule add from 5.6.7.8 lookup 100
    """)
    sh("ip address add 5.6.7.1/24 dev p1; ip link set p1 up", segment.provider)
    listener = internet.server(TCP, 2222)
    client = internet.connect(TCP, "5.6.7.8", 2222, internet.far)
    talk = Talk(internet.accept(listener), client)
    talk.ping()
    apply_spec(machine, parse(ARTICLE + LTE, "spec.toml"))
    # The client's acknowledgement is to come back, too.
    with talk:
        assert "5.6.7.8/32" in traces()
    # The uplink goes back to the host: the loopback must not keep the address that it has there.
    apply_spec(machine, parse(ARTICLE, "spec.toml"))
    assert traces() == ""


def test_ipv4_connection_in_an_ipv6_socket_is_one(
    machine: Machine, internet: Internet, article: Spec
) -> None:
    listener = internet.server(TCP, 2222, family=socket.AF_INET6)
    client = internet.connect(TCP, "1.2.3.4", 2222, internet.far)
    talk = Talk(client, internet.accept(listener))
    with talk:
        apply_spec(machine, article)


def test_connection_of_the_host_with_itself_goes_on(
    machine: Machine, internet: Internet, article: Spec
) -> None:
    listener = internet.server(TCP, 2222)
    talk = Talk(internet.connect(TCP, "1.2.3.4", 2222), internet.accept(listener))
    with talk:
        apply_spec(machine, article)
    assert "nftnsr_handover_ens3" not in traces()


def test_long_download_goes_on(machine: Machine, internet: Internet, article: Spec) -> None:
    """Segments as large as the path takes: its MTU is not the veth's."""
    listener = internet.server(TCP, 7777, internet.far)
    host = internet.connect(TCP, FAR, 7777)
    far = internet.accept(listener)
    size = 400_000_000
    for source, sink in ((far, host), (host, far)):
        sender = Thread(target=lambda s=source: s.sendall(bytes(size)))
        received, worst, last = 0, 0.0, time.monotonic()
        applier = Thread(target=lambda: (time.sleep(0.05), apply_spec(machine, article)))
        applier.start()
        sender.start()
        while received < size or applier.is_alive():
            if received < size:
                received += len(sink.recv(1 << 20))
                worst, last = max(worst, time.monotonic() - last), time.monotonic()
        sender.join()
        applier.join()
        print(f"worst gap {worst * 1000:.0f} ms")
        assert worst < 1.5


SSHD_OPTIONS = (
    "UsePAM=no", "StrictModes=no", "PidFile=none", "AuthorizedKeysFile={0}/key.pub",
    "HostKey={0}/host", "PasswordAuthentication=no", "PermitRootLogin=yes", "LogLevel=ERROR",
    "SetEnv=PYTHONPATH={1}",
)  # fmt: skip
SESSION = """
set -e
nftnsr() {{ {python} -m nftnsr "$@"; }}
(while sleep 0.01; do date +tick%s%N; done) & ticker=$!
sleep 0.3
echo session $SSH_CONNECTION
nftnsr apply {spec} > {directory}/log
echo applied
sleep 0.3
nftnsr diff {spec}
echo same $?
ip -4 address show dev lo | grep -c 1.2.3.4/32
nftnsr down {spec} >> {directory}/log
echo down
sleep 0.3
kill $ticker
! ip -4 address show dev lo | grep 1.2.3.4/32
echo end
"""


def test_ssh_session_applies_and_takes_down_the_router_under_itself(
    internet: Internet, tmp_path: Path
) -> None:
    address = _sshd(internet, tmp_path)
    spec = tmp_path / "spec.toml"
    spec.write_text(ARTICLE)
    script = SESSION.format(python=sys.executable, spec=spec, directory=tmp_path)
    options = (f"IdentityFile={tmp_path}/key", f"UserKnownHostsFile={tmp_path}/known",
               "StrictHostKeyChecking=no", "LogLevel=ERROR", "BatchMode=yes",
               "ConnectTimeout=5")  # fmt: skip
    command = ["ssh", "-F", "none", *(w for o in options for w in ("-o", o)), f"root@{address}"]
    client = internet.far.run(
        subprocess.Popen, [*command, "bash", "-s"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert client.stdin is not None and client.stdout is not None
    client.stdin.write(script)
    client.stdin.close()
    said, worst, last = [], 0.0, None
    for line in client.stdout:
        now = time.monotonic()
        if line.startswith("tick"):
            worst, last = max(worst, now - (last or now)), now
        else:
            said.append(line.strip())
    assert client.wait(10) == 0, said
    assert said[0].startswith(f"session {FAR} ")
    assert said[1:] == ["applied", "same 0", "1", "down", "end"]
    print(f"the session stood still for {worst * 1000:.0f} ms at most")
    assert worst < 1.5


def _sshd(internet: Internet, directory: Path) -> str:
    Path("/run/sshd").mkdir(exist_ok=True)
    sh(f"ssh-keygen -q -t ed25519 -N '' -f {directory}/key; "
       f"ssh-keygen -q -t ed25519 -N '' -f {directory}/host")  # fmt: skip
    options = [w for o in SSHD_OPTIONS for w in ("-o", o.format(directory, ROOT))]
    listener = internet.server(TCP, 22)

    def serve() -> None:
        # As inetd does it: sshd is given the connection, and ends with it.
        while True:
            try:
                listener.settimeout(60)
                connection = listener.accept()[0]
            except OSError:
                return
            with connection:
                subprocess.Popen(["/usr/sbin/sshd", "-i", "-f", "none", *options],
                                 stdin=connection, stdout=connection)  # fmt: skip

    Thread(target=serve, daemon=True).start()
    return "1.2.3.4"
