"""Files that commands write besides what they print."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import NamedTemporaryFile

from nftnsr.kernel.errors import KernelError


def replace(path: Path, text: str, what: str, option: str) -> None:
    """Replace a file at once: who reads it meanwhile finds the old or the new one, whole."""
    try:
        # A collector of *.prom or *.xml never takes the unfinished file for one.
        with NamedTemporaryFile(
            "w", dir=path.parent, prefix=f".{path.name}.", delete=False, encoding="utf-8"
        ) as file:
            try:
                file.write(text)
                os.fchmod(file.fileno(), 0o644)  # who reads it is another user
                file.close()
                Path(file.name).replace(path)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise
    except OSError as error:
        raise KernelError(
            f"cannot write the {what} to {path}: {error.strerror}",
            f"{option} FILE is a file in a directory that exists",
        ) from error
