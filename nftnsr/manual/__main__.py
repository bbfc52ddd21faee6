"""`python -m nftnsr.manual DIRECTORY`: write the manual pages and the completions below it."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from nftnsr.manual import files


def write(directory: Path) -> dict[str, Path]:
    """Write all files; returns where each one is, by its path below the prefix."""
    # https://reproducible-builds.org/specs/source-date-epoch/
    seconds = float(os.environ.get("SOURCE_DATE_EPOCH", time.time()))
    date = time.strftime("%Y-%m-%d", time.gmtime(seconds))
    written = {}
    for name, text in files(date).items():
        path = written[name] = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return written


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m nftnsr.manual DIRECTORY")
    write(Path(sys.argv[1]))
