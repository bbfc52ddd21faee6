"""The option that every golden test shares, and that no property fails by the clock."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "steady",
    # Machines are noisy: how long an example takes says nothing about it.
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    # CI tries the same examples each time; new ones are for whoever is there to look into them.
    derandomize=bool(os.environ.get("CI")),
)
settings.load_profile("steady")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="write what the code says into the golden files instead of comparing",
    )
