"""The SYN proxy: whoever wants to connect has to prove first that he can be answered.

    client          router                                               server
      SYN      ->   is not tracked (notrack); answered with a cookie
      ACK      ->   tracked, but not translated, so it comes to the router's own input:
                    is it the cookie's answer? then a SYN with the client's address,
                    translated on its way out                        ->    SYN
      data    <->   adjusted to what the router answered, as ever   <->   data

So a flood of SYNs from invented addresses meets a set and the cookie's hash, leaves no entry in
connection tracking and never gets to the server. What is from inside is not asked for a proof.

The recipe of others sets nf_conntrack_tcp_loose = 0, so that the ACK is invalid. That would end
every connection that is older than the router, of ssh above all; here it is told by being new.
"""

from __future__ import annotations

from collections.abc import Iterator

from attrs import evolve

from nftnsr.compile import balance, forwards, limits
from nftnsr.compile.families import Family, families, outer
from nftnsr.compile.mss import segments
from nftnsr.compile.ways import FULL, Way, ways
from nftnsr.spec.model import Router
from nftnsr.state.model import Chain, Set
from nftnsr.state.words import TABLE, anonymous_set

_UNTRACKED = "type filter hook prerouting priority raw; policy accept;"
_INPUT = "type filter hook input priority filter - 1; policy accept;"
_OUTPUT = "type nat hook output priority -100; policy accept;"  # dstnat, which only prerouting has
# The ACK that ends the handshake with the server: the kernel shifts the timestamp in it twice, when
# it makes it and on its way out. A server with Linux 6.18 does not take it, and a second goes by
# until it asks again; one without a timestamp every server takes (RFC 7323, section 3.2).
_ACKS = "type filter hook output priority raw; policy accept;"
_PROXIED = "proxied"
_WSCALE = 7
"""What Linux has for a receive buffer of up to 8 MiB. More than the server's own would let clients
send more than it takes; less only lets them send less."""


def proxied(router: Router, each: Family) -> tuple[Way, ...]:
    """The forwards that ask for it, as far as they are about TCP."""
    found = (w for w in ways(router, each) if w.forward.synproxy)
    return tuple(evolve(w, forward=evolve(w.forward, protocols=("tcp",))) for w in found)


def sets(router: Router) -> Iterator[Set]:
    for each, here in _families(router):
        keys = frozenset(key for way in here for key in way.full_keys)
        yield Set(TABLE, "set", _name(each), FULL.declaration(each), keys)


def rules(router: Router) -> Iterator[str]:
    """For the prerouting nat chain, which sees no SYN of these: what is new answers a cookie."""
    for each, _ in _families(router):
        yield f"iifname {outer(router)} {_asked(each)} accept"


def chains(router: Router) -> Iterator[Chain]:
    found = tuple(_families(router))
    if not found:
        return
    untracked = tuple(rule for each, _ in found for rule in _untracked(router, each))
    yield Chain(TABLE, "untracked", _UNTRACKED, untracked)
    answers = tuple(rule for each, _ in found for rule in _answers(router, each))
    yield Chain(TABLE, "cookies", _INPUT, answers)  # `synproxy` is a keyword
    lead = tuple(rule for each, here in found for rule in _leads(router, each, here))
    yield Chain(TABLE, _PROXIED, "", lead)
    marks = tuple(rule for each, _ in found for rule in _marks(router, each))
    goto = tuple(f"{_asked(each)} goto {_PROXIED}" for each, _ in found)
    yield Chain(TABLE, "output", _OUTPUT, (*marks, *goto))
    ack = "tcp flags & (syn | ack) == ack"
    plain = tuple(f"{ack} {_asked(each)} reset tcp option timestamp" for each, _ in found)
    yield Chain(TABLE, "output_acks", _ACKS, plain)


def _families(router: Router) -> Iterator[tuple[Family, tuple[Way, ...]]]:
    found = ((each, proxied(router, each)) for each in families(router))
    return ((each, here) for each, here in found if here)


def _untracked(router: Router, each: Family) -> Iterator[str]:
    """The largest segment of the client is what the server is told, and its SYN meets no chain mss.

    The cookie has room for few sizes: none above 1460 over IPv4, but 8940 over IPv6.
    """
    syn = f"tcp flags & (fin | syn | rst | ack) == syn {_asked(each)}"
    if router.mss_clamp is False:
        yield f"iifname {outer(router)} {syn} notrack"
        return
    for devs, size in segments(router, each):
        yield f"iifname {devs} {syn} tcp option maxseg size set {size} notrack"


def _answers(router: Router, each: Family) -> Iterator[str]:
    for devs, size in segments(router, each):
        answer = f"synproxy mss {size} wscale {_WSCALE} timestamp sack-perm"
        yield f"iifname {devs} {_asked(each)} {answer}"


def _leads(router: Router, each: Family, here: tuple[Way, ...]) -> Iterator[str]:
    """Where the router's own SYNs go: as those of clients do by other forwards."""
    if any(way.forward.limit for way in here):
        yield f"{FULL.key(each)} vmap @{limits.map_name(each)}"
    for several, part in ((False, forwards), (True, balance)):
        mine = (way for way in here if (len(way.targets) > 1) is several)
        matches = {match for way in mine for match, _, _ in way.pieces(router)}
        for match in sorted(matches, key=lambda m: m.order):
            yield part.rule(router, each, match, local=True)


def _marks(router: Router, each: Family) -> Iterator[str]:
    """Of several uplinks, a connection stays with that by whose address it came in."""
    for uplink in router.uplinks if len(router.uplinks) > 1 else ():
        if public := [str(i.ip) for i in each.on(uplink).public]:
            yield f"{each.keyword} daddr {anonymous_set(public)} ct mark set {uplink.mark:#x}"


def _asked(each: Family) -> str:
    return f"{FULL.key(each)} @{_name(each)}"


def _name(each: Family) -> str:
    return f"synproxy_{each.name}"
