"""Never locked out: before an apply, whether the ssh session that runs it could be opened again."""

from __future__ import annotations

from collections.abc import Iterator

from nftnsr.compile.reach import reaches_host, stays_open
from nftnsr.kernel.session import Session
from nftnsr.spec.model import Router, Spec
from nftnsr.state.model import HOST, Address, State
from nftnsr.transaction.preflight import Obstacle


def lockouts(session: Session | None, spec: Spec, found: State) -> Iterator[Obstacle]:
    """An obstacle if `session` comes in by an uplink of `spec`, and a new one could not."""
    if session is None:
        return
    for router in spec.routers:
        if not _comes_in_by(router, session, found) or _stays_possible(router, session):
            continue
        line = f'"{session.server_port}/tcp"'
        yield Obstacle(
            f"this would lock you out: you work over ssh from {session.client}, and router "
            f'"{router.name}" lets no new connection of yours to port {session.server_port} '
            "of this host in",
            f"add {line} to `forward` in [router.{router.name}], or say --lockout-ok",
        )


def _comes_in_by(router: Router, session: Session, found: State) -> bool:
    """Whether the session's own end is an address of the uplink, or of the host behind it."""
    if any(session.client in n for n in router.host.networks):
        return False
    devs = {router.uplink, router.host.interface}
    items = (i for i in found[HOST].items if isinstance(i, Address) and i.dev in devs)
    # The public address stays the session's end when the uplink has moved away under it.
    return session.server in {i.ip for i in (*router.addresses, *(i.interface for i in items))}


def _stays_possible(router: Router, session: Session) -> bool:
    client, server, port = session.client, session.server, session.server_port
    return reaches_host(router, client, port) or stays_open(router, client, server, port)
