"""The program: `nftnsr`, or `python -m nftnsr`."""

from __future__ import annotations

import sys

from nftnsr.commands import quick


def main() -> int:
    """Answer at once where that can be, else run the command line; returns the exit status."""
    try:
        status = quick.diff(sys.argv[1:])
    except KeyboardInterrupt:
        return 130
    if status is None:
        from nftnsr import cli

        status = cli.main()
    return status


if __name__ == "__main__":
    sys.exit(main())
