"""The documentation: `python -m sphinx -W -b html docs docs/_build`, without network.

Sphinx, because it turns every broken link and every unread page into an error and needs nothing
from elsewhere; furo, because it is legible on a telephone, follows light and dark, and brings its
own scripts along. What can be made of the program is made of it, by `generate.py` beside this.
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import generate  # noqa: E402

import nftnsr  # noqa: E402

generate.write(HERE / "generated")

project = "nftnsr"
author = "the nftnsr authors"
version = release = nftnsr.__version__
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
nitpicky = True
myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence", "deflist"]
html_theme = "furo"
html_title = "nftnsr"
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {"navigation_with_keys": True}
pygments_style = "default"
pygments_dark_style = "github-dark"
