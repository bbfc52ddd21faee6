"""Never locked out: before an apply, whether what leads to this host would still do so."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from nftnsr.compile.families import families
from nftnsr.compile.guard import keeps_out
from nftnsr.compile.reach import reaches_host, stays_open
from nftnsr.kernel.machine import Machine
from nftnsr.kernel.session import Session, current
from nftnsr.spec.model import Router, Spec
from nftnsr.state.model import HOST, Address, State
from nftnsr.transaction.preflight import Obstacle


def lockouts(machine: Machine, spec: Spec, found: State) -> Iterator[Obstacle]:
    """What makes `spec` a risk for whoever applies it over the network."""
    yield from session_lost(current(), spec, found)
    yield from firewall_lost(machine.firewall(), spec, found)


def firewall_lost(rules: str, spec: Spec, found: State) -> Iterator[Obstacle]:
    """An obstacle if the host's own ruleset names an uplink that moves away, and not its veth.

    What such rules let in would be shut out after the move, and what they shut out let in.
    """
    moving = ((router, uplink.dev) for router in spec.routers for uplink in router.moved)
    for router, dev in moving:
        if found[HOST].link(dev) is None:
            continue  # it has moved already
        veth = router.host.interface
        if f'"{dev}"' in rules and f'"{veth}"' not in rules:
            yield Obstacle(
                f"the host's own nftables rules name {dev}, and would see {veth} in its "
                "place: what they let in, or keep out, would change",
                f"let them name {veth} too (see nft list ruleset), or say --lockout-ok",
            )


def session_lost(session: Session | None, spec: Spec, found: State) -> Iterator[Obstacle]:
    """An obstacle if `session` comes in by an uplink of `spec`, and a new one could not."""
    if session is None:
        return
    for router in spec.routers:
        if not _comes_in_by(router, session, found):
            continue
        if keeps_out(router, session.client):
            yield _shut_out(router, session)
            continue
        if _stays_possible(router, session):
            continue
        line = f'"{session.server_port}/tcp"'
        yield Obstacle(
            f"this would lock you out: you work over ssh from {session.client}, and router "
            f'"{router.name}" lets no new connection of yours to port {session.server_port} '
            "of this host in",
            f"add {line} to `forward` in [router.{router.name}], or say --lockout-ok",
        )


def kept_out(
    session: Session | None, routers: Iterable[Router], found: State
) -> Iterator[Obstacle]:
    """An obstacle if `session` comes in by one of `routers`, and a list would shut it out."""
    if session is None:
        return
    for router in routers:
        if _comes_in_by(router, session, found) and keeps_out(router, session.client):
            yield _shut_out(router, session)


def _shut_out(router: Router, session: Session) -> Obstacle:
    return Obstacle(
        f"this would lock you out: you work over ssh from {session.client}, which a block "
        f'list or `bogons` of router "{router.name}" keeps out',
        "take it out of the list, or say --lockout-ok",
    )


def _comes_in_by(router: Router, session: Session, found: State) -> bool:
    """Whether the session's own end is an address of an uplink, or of the host behind it."""
    if any(session.client in n for each in families(router) for n in each.inside):
        return False
    devs = {uplink.dev for uplink in router.uplinks}
    devs |= {link.interface for link in router.links if link.namespace is None}
    items = (i for i in found[HOST].items if isinstance(i, Address) and i.dev in devs)
    # The public address stays the session's end when the uplink has moved away under it.
    return session.server in {i.ip for i in (*router.addresses, *(i.interface for i in items))}


def _stays_possible(router: Router, session: Session) -> bool:
    client, server, port = session.client, session.server, session.server_port
    return reaches_host(router, client, server, port) or stays_open(router, client, server, port)
