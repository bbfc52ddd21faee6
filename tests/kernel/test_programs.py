"""The article end to end, with the programs that people run: sshd, nginx, curl, dnsmasq, iperf3."""

from __future__ import annotations

import json
import shutil
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from ipaddress import ip_network
from pathlib import Path

import pytest

from nftnsr.kernel.machine import Machine
from nftnsr.kernel.namespaces import Room
from nftnsr.rehearsal import World, rehearse
from nftnsr.spec import load, parse
from nftnsr.transaction.apply import apply_spec

from .conftest import ARTICLE

RULESETS = sorted((Path(__file__).parents[2] / "rulesets").glob("*.toml"))
PODS, POD = ip_network("10.42.0.0/24"), "10.42.0.10"
SPEC = parse(
    ARTICLE.replace(
        '"22/tcp"',
        '"22/tcp", "30000-30100/tcp", "8080/tcp -> 10.42.0.10:80", "5353/udp -> :53", "5201/tcp"',
    )
    + 'networks = ["10.42.0.0/24"]\n',
    "programs.toml",
)


@pytest.fixture
def world(box: None) -> Iterator[World]:
    with World(SPEC) as world, Machine() as machine:
        apply_spec(machine, SPEC)
        yield world


@contextmanager
def running(
    room: Room, command: list[str], port: int, address: str = "127.0.0.1"
) -> Iterator[None]:
    """A program in a room, up when it accepts connections at `port`."""
    process = room.run(
        subprocess.Popen, command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    try:
        deadline = time.monotonic() + 20
        while not room.run(_answers, address, port):
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < deadline, f"{command[0]} does not answer"
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait()


def _answers(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), timeout=1).close()
    except OSError:
        return False
    return True


def run(room: Room, *command: str) -> str:
    done = room.run(subprocess.run, command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return str(done.stdout)


def curl(room: Room, url: str, source: str | None = None) -> str:
    source_words = () if source is None else ("--interface", source)
    return run(room, "curl", "-gsS", "--max-time", "5", *source_words, url).strip()


@contextmanager
def nginx(room: Room, directory: Path, *ports: int) -> Iterator[None]:
    """An nginx that answers with the address of its client."""
    directory.mkdir()
    listens = "".join(f"listen {port}; listen [::]:{port};" for port in ports)
    (directory / "nginx.conf").write_text(
        f"daemon off; master_process off; pid {directory}/pid; events {{}}"
        f"http {{ access_log off; client_body_temp_path {directory}; proxy_temp_path {directory};"
        f"fastcgi_temp_path {directory}; uwsgi_temp_path {directory}; scgi_temp_path {directory};"
        f'server {{ {listens} location / {{ return 200 "$remote_addr\\n"; }} }} }}'
    )
    command = ["nginx", "-p", str(directory), "-c", str(directory / "nginx.conf"),
               "-e", str(directory / "error.log")]  # fmt: skip
    with running(room, command, ports[0]):
        yield


def address(room: Room, version: int) -> str:
    """The address with which a room speaks to the public addresses of the router."""
    family, there = {
        4: (socket.AF_INET, ("1.2.3.4", 9)), 6: (socket.AF_INET6, ("2123:2134:abc:ddd::3", 9))
    }[version]  # fmt: skip
    with room.run(socket.socket, family, socket.SOCK_DGRAM) as probe:
        probe.connect(there)
        return str(probe.getsockname()[0])


def test_ssh_and_web_servers_see_their_clients(world: World, tmp_path: Path) -> None:
    outside, pods = world.internet, world.inner(PODS)
    client, client6 = address(outside, 4), address(outside, 6)
    with ExitStack() as stack:
        stack.enter_context(nginx(world.host, tmp_path / "host", 30080, 80))
        stack.enter_context(nginx(pods, tmp_path / "pod", 80))
        # In through a NodePort, in through another target, and over IPv6 to the host's own address.
        assert curl(outside, "http://1.2.3.4:30080") == client
        assert curl(outside, "http://1.2.3.4:8080") == client
        assert curl(outside, "http://[2123:2134:abc:ddd::3]:30080") == client6
        assert curl(outside, "http://[2123:2134:abc:ddd::2]:80") == client6
        # Hairpin: from the host and from a pod to the public address, both kinds of target.
        assert curl(world.host, "http://1.2.3.4:8080") == "192.168.158.1"
        assert curl(world.host, "http://1.2.3.4:30080") == "192.168.158.1"
        assert curl(pods, "http://1.2.3.4:30080", POD) == "192.168.158.1"
        assert curl(pods, "http://1.2.3.4:8080", POD) == "192.168.158.1"
        # Port 80 of the host itself was not forwarded.
        with pytest.raises(AssertionError, match="curl"):
            curl(outside, "http://1.2.3.4:80")


def test_what_goes_out_has_the_routers_address(world: World, tmp_path: Path) -> None:
    outside = world.internet
    there, there6 = address(outside, 4), address(outside, 6)
    with nginx(outside, tmp_path / "far", 80):
        assert curl(world.host, f"http://{there}") == "1.2.3.4"
        assert curl(world.inner(PODS), f"http://{there}", POD) == "1.2.3.4"
        assert curl(world.host, f"http://[{there6}]") == "2123:2134:abc:ddd::2"


def test_ssh_comes_in_from_where_it_is(world: World, tmp_path: Path) -> None:
    key, host_key = tmp_path / "key", tmp_path / "host_key"
    for path in (key, host_key):
        subprocess.run(["ssh-keygen", "-qt", "ed25519", "-N", "", "-f", path], check=True)
    allowed = tmp_path / "authorized_keys"
    allowed.write_text(key.with_suffix(".pub").read_text())
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    sshd = shutil.which("sshd") or "/usr/sbin/sshd"
    options = {"AuthorizedKeysFile": allowed, "StrictModes": "no", "UsePAM": "no",
               "PidFile": "none", "PermitRootLogin": "yes", "HostKey": host_key}  # fmt: skip
    server = [sshd, "-D", "-e", "-f", "/dev/null", "-p", "22"]
    server += [word for k, v in options.items() for word in ("-o", f"{k}={v}")]
    with running(world.host, server, 22):
        client = ["ssh", "-F", "none", "-i", str(key), "-o", "StrictHostKeyChecking=no",
                  "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]  # fmt: skip
        said = run(world.internet, *client, "root@1.2.3.4", "echo $SSH_CONNECTION").split()
    assert said[0] == address(world.internet, 4)
    assert said[2:] == ["192.168.158.2", "22"]


def test_udp_to_another_port_is_answered(world: World, tmp_path: Path) -> None:
    dnsmasq = shutil.which("dnsmasq") or "/usr/sbin/dnsmasq"
    command = [dnsmasq, "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv",
               "--no-hosts", "--user=root", f"--pid-file={tmp_path / 'pid'}",
               "--address=/router.test/192.0.2.7"]  # fmt: skip
    # RFC 1035: one question, A, IN.
    name = b"".join(bytes([len(word)]) + word for word in (b"router", b"test")) + b"\0"
    question = struct.pack("!6H", 7, 0x0100, 1, 0, 0, 0) + name + struct.pack("!2H", 1, 1)
    client = world.internet.run(socket.socket, socket.AF_INET, socket.SOCK_DGRAM)
    with running(world.host, command, 53), client:
        client.settimeout(5)
        client.sendto(question, ("1.2.3.4", 5353))
        answer, sender = client.recvfrom(512)
    assert answer[-4:] == socket.inet_aton("192.0.2.7")
    assert sender == ("1.2.3.4", 5353)


def test_bulk_goes_through_in_both_directions(world: World) -> None:
    with running(world.host, ["iperf3", "--server"], 5201):
        for direction in ((), ("--reverse",)):
            out = run(world.internet, "iperf3", "--client", "1.2.3.4", "--time", "1", "--json",
                      *direction)  # fmt: skip
            assert json.loads(out)["end"]["sum_received"]["bytes"] > 1_000_000


@pytest.mark.parametrize("path", RULESETS, ids=lambda path: path.stem)
def test_ruleset_to_copy_passes_its_rehearsal(path: Path) -> None:
    def apply(spec: object) -> None:
        with Machine() as machine:
            apply_spec(machine, spec)  # type: ignore[arg-type]

    rehearsal = rehearse(load(path), apply)
    assert rehearsal.results
    assert [r for r in rehearsal.results if not r.ok] == []
