"""What a watch is asked to do, and where the spec is that it watches over."""

from __future__ import annotations

from collections.abc import Callable

from attrs import field, frozen

from nftnsr.kernel.notices import Files
from nftnsr.spec.model import Spec
from nftnsr.watch.cases import Limits


@frozen
class Source:
    """Where the spec comes from: how to read it, and the files that it was read from."""

    load: Callable[[], Spec]
    files: Callable[[Spec], tuple[Files, ...]]


@frozen
class Policy:
    """Whether to heal, how often, how carefully; seconds between looks without a notice."""

    heals: bool = False
    limits: Limits = field(factory=Limits)
    cautious: bool = True
    every: float = 300.0
