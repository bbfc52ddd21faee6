"""Protocols that announce further connections, between the programs that people run."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from ipaddress import ip_address
from pathlib import Path

import pytest
from attrs import define, evolve, field

from nftnsr.compile import compile_router
from nftnsr.kernel.errors import KernelError
from nftnsr.kernel.machine import Machine
from nftnsr.kernel.namespaces import Room
from nftnsr.kernel.nftables import normal_form
from nftnsr.rehearsal import World, sockets
from nftnsr.spec import parse
from nftnsr.state.model import Block
from nftnsr.transaction.apply import apply_spec
from tests.tools import need

from .conftest import sh
from .test_programs import running

PUBLIC, PUBLIC6 = "1.2.3.4", "2001:db8:1::3"
INNER, INNER6 = "10.42.0.10", "fd00:42::10"
FAR, FAR6 = "198.51.100.7", "2001:db8:ffff::7"
SPEC = f"""
[router.wan]
uplink    = "ens3"
addresses = ["{PUBLIC}/24", "{PUBLIC6}/64"]
gateways  = ["1.2.3.1", "2001:db8:1::1"]
snat      = ["fd00:42::/64 -> {PUBLIC6}"]
{{keys}}

[router.wan.host]
interface        = "vens3"
addresses        = ["192.168.158.2/24", "2001:db8:1::2/128"]
router_addresses = ["192.168.158.1/24"]
networks         = ["10.42.0.0/24", "fd00:42::/64"]
"""
PASV = ("--disable-epsv", "--no-ftp-skip-pasv-ip")
"""The server names its address, and the client believes it."""
TEXT = "the content of the file\n" * 3000


@define
class Net:
    world: World
    machine: Machine
    files: Path
    stack: ExitStack = field(factory=ExitStack)

    def apply(self, keys: str) -> None:
        apply_spec(self.machine, parse(SPEC.format(keys=keys), "helpers.toml"))

    def room(self, address: str) -> Room:
        for network in self.world.scene.inner:
            if ip_address(address) in network.network:
                return self.world.inner(network.network)
        return self.world.internet

    def ftp_server(self, address: str, port: int = 21) -> None:
        """vsftpd, which names its own address to whoever asks where to fetch a file."""
        config = self.files / "vsftpd.conf"
        config.write_text(
            f"listen_ipv6=YES\nlisten_port={port}\nbackground=NO\nanonymous_enable=YES\n"
            f"anon_root={self.files / 'tree'}\nseccomp_sandbox=NO\nconnect_from_port_20=NO\n"
            f"secure_chroot_dir={self.files / 'tree'}\n"  # the usual one is in /run, made at boot
        )
        self.stack.enter_context(
            running(self.room(address), ["vsftpd", str(config)], port, address)
        )


@pytest.fixture
def net(tmp_path: Path) -> Iterator[Net]:
    need("vsftpd", "curl")
    tree = tmp_path / "tree"
    tree.mkdir(mode=0o555)
    (tree / "file").write_text(TEXT)
    for directory in (tmp_path, *tmp_path.parents[:3]):
        directory.chmod(directory.stat().st_mode | 0o011)
    with World(parse(SPEC.format(keys=""), "helpers.toml")) as world, Machine() as machine:
        made = Net(world, machine, tmp_path)
        for address in (INNER6, FAR6):
            # Their rooms have all addresses of a network, but on no interface.
            sh("sysctl -qw net.ipv6.ip_nonlocal_bind=1", made.room(address))
        with made.stack:
            yield made


def fetch(net: Net, client: str, url: str, *options: str, seconds: float = 15) -> str | None:
    """What curl of `client` gets; None where it gets nothing."""
    command = ("curl", "-sS", "--globoff", "--max-time", str(seconds), "--interface", client)
    done = net.room(client).run(
        subprocess.run, (*command, *options, url), capture_output=True, text=True
    )
    print(done.stderr)
    return done.stdout if done.returncode == 0 else None


@pytest.mark.parametrize(
    ("client", "server"), [(INNER, FAR), (INNER6, f"[{FAR6}]")], ids=["ipv4", "ipv6"]
)
def test_server_connects_back_to_the_client_inside(net: Net, client: str, server: str) -> None:
    """Active mode: the client tells the server where it waits."""
    net.ftp_server(server.strip("[]"))
    for keys, gets in (('helpers = ["ftp"]', TEXT), ("", None)):
        net.apply(keys)
        seconds = 15 if gets else 1
        for how in ("-", client):
            url = f"ftp://{server}/file"
            assert fetch(net, client, url, "--ftp-port", how, seconds=seconds) == gets
        assert fetch(net, client, f"ftp://{server}/file") == TEXT, "passive mode needs no helper"


def test_client_outside_fetches_from_the_server_inside(net: Net) -> None:
    """Passive mode: the server tells the client where it waits, by its own address."""
    for server in (INNER, INNER6):
        net.ftp_server(server)
    forwards = {
        "21/tcp -> 10.42.0.10": (PUBLIC, FAR, 21),
        "2121/tcp -> 10.42.0.10:21": (PUBLIC, FAR, 2121),
        "21/tcp -> [fd00:42::10]": (f"[{PUBLIC6}]", FAR6, 21),
    }
    for forward, (public, client, port) in forwards.items():
        for keys, gets in (('helpers = ["ftp"]', TEXT), ("", None)):
            net.apply(f'forward = ["{forward}"]\n{keys}')
            url, seconds = f"ftp://{public}:{port}/file", 15 if gets else 1
            # It names its port only (RFC 2428), or its address, too.
            for how in (("--ftp-pasv",), PASV)[: 1 + (port == 21)]:
                assert fetch(net, client, url, *how, seconds=seconds) == gets, (forward, how)


def test_port_that_clients_ask_for_counts_where_the_server_has_another(net: Net) -> None:
    net.ftp_server(INNER, 2121)
    net.apply('forward = ["21/tcp -> 10.42.0.10:2121"]\nhelpers = ["ftp"]')
    assert fetch(net, FAR, f"ftp://{PUBLIC}/file", *PASV) == TEXT
    # And from inside, by the public address.
    assert fetch(net, "10.42.0.7", f"ftp://{PUBLIC}/file", *PASV) == TEXT


def test_tftp_server_answers_from_another_port(net: Net) -> None:
    need("dnsmasq")
    command = [
        "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=5353", "--user=root",
        "--enable-tftp", f"--tftp-root={net.files / 'tree'}", "--pid-file", "--listen-address", FAR,
    ]  # fmt: skip
    net.stack.enter_context(running(net.world.internet, command, 5353, FAR))
    for keys, gets in (('helpers = ["tftp"]', TEXT), ("", None)):
        net.apply(keys)
        assert fetch(net, INNER, f"tftp://{FAR}/file", seconds=15 if gets else 1) == gets


OFFER = f"""INVITE sip:bob@{FAR} SIP/2.0
Via: SIP/2.0/UDP {INNER}:5060;branch=z9hG4bK1
Max-Forwards: 70
To: <sip:bob@{FAR}>
From: <sip:alice@{INNER}>;tag=1
Call-ID: 1@{INNER}
CSeq: 1 INVITE
Contact: <sip:alice@{INNER}:5060>
Content-Type: application/sdp
Content-Length: LENGTH

"""
MEDIA = f"""v=0
o=alice 1 1 IN IP4 {INNER}
s=-
c=IN IP4 {INNER}
t=0 0
m=audio 4000 RTP/AVP 0
"""


def test_caller_inside_is_called_by_the_public_address_and_hears(net: Net) -> None:
    net.apply('helpers = ["sip"]')
    media = MEDIA.replace("\n", "\r\n")
    offer = OFFER.replace("LENGTH", str(len(media))).replace("\n", "\r\n") + media
    with (
        sockets.server(net.world.internet, "udp", ip_address(FAR), 5060) as bob,
        sockets.server(net.room(INNER), "udp", ip_address(INNER), 5060) as alice,
        sockets.server(net.room(INNER), "udp", ip_address(INNER), 4000) as ear,
    ):
        bob.settimeout(5)
        ear.settimeout(5)
        alice.sendto(offer.encode(), (FAR, 5060))
        said = bob.recv(2000).decode()
        assert INNER not in said.replace(f"1@{INNER}", "")
        assert f"c=IN IP4 {PUBLIC}" in said
        port = int(said.partition("m=audio ")[2].split()[0])
        bob.sendto(b"voice", (PUBLIC, port))
        assert ear.recv(10) == b"voice"


def test_helper_that_the_kernel_has_not_is_told_by_its_module(box: None) -> None:
    spec = parse(SPEC.format(keys='helpers = ["tftp", "ftp"]'), "helpers.toml")
    ruleset = tuple(
        evolve(item, lines=(item.lines[0].replace("ftp", "nosuch"),))
        if isinstance(item, Block) and item.name == "ftp_tcp"
        else item
        for item in compile_router(spec.routers[0]).ruleset
    )
    with pytest.raises(KernelError, match='this kernel has no helper "nosuch"') as caught:
        normal_form(ruleset)
    assert "nf_conntrack_nosuch" in str(caught.value.hint)
