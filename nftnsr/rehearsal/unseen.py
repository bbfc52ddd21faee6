"""Router -> what its spec says and no packet of a rehearsal can show, told as untried."""

from __future__ import annotations

from collections.abc import Iterator

from nftnsr.rehearsal.outcome import Untried
from nftnsr.spec.model import Router


def unseen(router: Router) -> Iterator[Untried]:
    for what, reason in _unseen(router):
        yield Untried(router.name, what, reason)


def _unseen(router: Router) -> Iterator[tuple[str, str]]:
    for helper in router.helpers:
        yield f"helper {helper}", "a rehearsal speaks no protocol that announces connections"
    if router.filter.log_drops is not None:
        yield "log_drops", "what is dropped is seen, what is written of it is not"
    if router.source_ports != "preserve":
        yield f"source_ports {router.source_ports}", "a few ports look like any others"
    if router.accept_ra:
        yield f"accept_ra {router.accept_ra}", "the provider of a rehearsal advertises nothing"
    for setting in router.sysctls:
        name = setting.path.replace("/", ".")
        yield f"sysctl {name}", "what it is good for only who writes it knows"
    for nat in (nat for nat in router.snat if nat.persistent):
        yield f"{nat.text}, persistent", "that its address is one of these is all that is tried"
    for forward in (forward for forward in router.forward if forward.synproxy):
        yield f"{forward.text}, synproxy", "who answers a client first it cannot tell"
