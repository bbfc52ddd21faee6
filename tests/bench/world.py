"""A host with an uplink to a provider, as a VPS has it before the first apply.

The host is the namespace in which the benchmarks run; the provider, who is also the client from
the internet, lives in another one. The uplink is a veth called ens3.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path

from tests.bench.measure import capture, nftnsr, run

ROUTER = "ens3"
PROVIDER = "provider"
PUBLIC, GATEWAY = "1.2.3.4", "1.2.3.1"
HOST, PODS = "192.168.158.2", "10.42.0.0/24"
NETNS = Path("/run/netns")
_MAC = "02:00:00:00:00:03"
_SPEC = Path("/run/bench/spec.toml")

# The provider knows its neighbour: the far end of a veth forgets it whenever this end goes down, a
# real gateway does not, and a question that is lost while the uplink moves is asked again only
# after a second.
_BUILD = f"""
ip netns add {PROVIDER}
ip link add ens3 address {_MAC} type veth peer name p0 netns {PROVIDER}
ip address add {PUBLIC}/24 dev ens3
ip address add 2123:2134:abc:ddd::2/64 dev ens3 nodad
ip link set ens3 up
ip -n {PROVIDER} link set lo up
ip -n {PROVIDER} address add {GATEWAY}/24 dev p0
ip -n {PROVIDER} address add 2123:2134:abc:ddd::1/64 dev p0 nodad
ip -n {PROVIDER} link set p0 up
ip -n {PROVIDER} neighbour add {PUBLIC} lladdr {_MAC} dev p0 nud permanent
ip netns exec {PROVIDER} sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.p0.rp_filter=0
ip route add default via {GATEWAY}
ip -6 route add default via 2123:2134:abc:ddd::1 dev ens3
"""

# The links go first and by name: a namespace is removed later, when the kernel has the time.
_DEMOLISH = f"""
ip -n {PROVIDER} link del p0
ip link del vens3
ip netns del {ROUTER}
ip netns del {PROVIDER}
rm -rf /var/lib/nftnsr/* /run/nftnsr/*
"""


class World:
    """The host, its uplink and its provider, new; gone when the `with` ends."""

    def __enter__(self) -> World:
        sh(_BUILD)
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run(["bash", "-c", _DEMOLISH], capture_output=True, check=False)


def applied(*forwards: str) -> World:
    """A world to enter in which a spec with these forwards has been applied."""
    return _Applied(forwards)


class _Applied(World):
    def __init__(self, forwards: Iterable[str]) -> None:
        self._forwards = tuple(forwards)

    def __enter__(self) -> World:
        super().__enter__()
        try:
            run(*nftnsr("apply", spec(self._forwards)))
        except BaseException:
            self.__exit__()
            raise
        return self


def spec(forwards: Iterable[str], *, hairpin: bool = True, path: Path = _SPEC) -> str:
    """Write the article's spec with other forwards; returns the name of the file."""
    entries = "".join(f'  "{forward}",\n' for forward in forwards)
    path.write_text(f"""
[router.{ROUTER}]
uplink    = "ens3"
addresses = ["{PUBLIC}/24", "2123:2134:abc:ddd::3/64"]
gateways  = ["{GATEWAY}", "2123:2134:abc:ddd::1"]
hairpin   = {str(hairpin).lower()}
forward   = [
{entries}]

[router.{ROUTER}.host]
interface        = "vens3"
addresses        = ["{HOST}/24", "2123:2134:abc:ddd::2/128"]
router_addresses = ["192.168.158.1/24"]
networks         = ["{PODS}"]
default_route    = true
""")
    return str(path)


def forward(port: int) -> str:
    """A forward to the host, of IPv4 only as the rivals' are."""
    return f"{port}/tcp -> {HOST}:{port}"


def compiled(file: str) -> str:
    """The ruleset of a spec, as nft reads it."""
    return capture(*nftnsr("compile", "--ruleset", file)) + "\n"


def in_namespace(name: str, *command: str) -> tuple[str, ...]:
    """`command`, to be run in a namespace, cheaper than by `ip netns exec`."""
    return ("nsenter", f"--net={NETNS / name}", *command)


def sh(script: str) -> None:
    """Run shell commands in the host, up to the first that fails."""
    done = subprocess.run(["bash", "-ec", script], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"exit status {done.returncode}:\n{script}\n{done.stderr}")
