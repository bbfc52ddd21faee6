"""Programs and modules that some tests need: a test without them is skipped, in CI it fails."""

from __future__ import annotations

import os
import shutil
from importlib.util import find_spec

import pytest


def need(*names: str) -> None:
    """Skip the test where a program or a Python module of these names is missing."""
    missing = [n for n in names if shutil.which(n) is None and find_spec(n) is None]
    if missing:
        reason = f"not installed: {', '.join(missing)}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
