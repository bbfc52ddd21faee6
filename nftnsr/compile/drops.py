"""What happens to a packet that is dropped: nothing more, or a line in a log, not too many.

A chain's policy can only drop in silence. So where drops are logged the verdict is to go to a chain
that logs and drops, for all chains the same one: the rate is that of the router.
"""

from __future__ import annotations

from collections.abc import Iterator

from nftnsr.spec.model import Router
from nftnsr.state.model import Chain
from nftnsr.state.words import TABLE

_DROPPED = "dropped"


def drop(router: Router) -> str:
    """The verdict that drops."""
    return f"goto {_DROPPED}" if router.filter.log_drops else "drop"


def rest(router: Router) -> Iterator[str]:
    """The last rule of a chain whose policy is to drop, where that alone does not do."""
    if router.filter.log_drops:
        yield drop(router)


def chains(router: Router) -> Iterator[Chain]:
    asked = router.filter
    if asked.log_drops is None:
        return
    prefix = f"nftnsr {router.name}: " if asked.log_prefix is None else asked.log_prefix
    group = "" if asked.log_group is None else f" group {asked.log_group}"
    log = f'limit rate {asked.log_drops} log prefix "{prefix}"{group}'
    yield Chain(TABLE, _DROPPED, "", (log, "drop"))
