"""Makes the manual pages and the shell completions that are installed with the package."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Manual(BuildHookInterface[Any]):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        # They are made of the very source that is built.
        sys.path.insert(0, self.root)
        try:
            from nftnsr.manual.__main__ import write
        finally:
            sys.path.remove(self.root)
        self.made = TemporaryDirectory(prefix="nftnsr-manual-")
        made = write(Path(self.made.name))
        build_data["shared_data"].update({str(path): name for name, path in made.items()})

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if version != "editable":
            self.made.cleanup()
