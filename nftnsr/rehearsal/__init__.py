"""What a spec promises, tried with real packets in a world of throw-away namespaces.

`rehearse` does it all in a child process; `World` and `probe` are its parts, for tests that want
to look around in such a world.
"""

from __future__ import annotations

from nftnsr.rehearsal.merged import is_change
from nftnsr.rehearsal.outcome import Rehearsal, Result, Seconds, Stage, Untried
from nftnsr.rehearsal.rehearse import rehearse, rehearse_change
from nftnsr.rehearsal.trying import probe, untried
from nftnsr.rehearsal.world import World

__all__ = [
    "Rehearsal", "Result", "Seconds", "Stage", "Untried", "World", "is_change", "probe",
    "rehearse", "rehearse_change", "untried",
]  # fmt: skip
