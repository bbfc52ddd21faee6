"""What `compile` prints is true: the rulesets load, and the commands do what an apply does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from nftnsr.kernel.namespaces import Room
from nftnsr.kernel.nftables import Nftables, normal_form
from nftnsr.spec import load
from nftnsr.state.ruleset import read_listing, ruleset_text
from nftnsr.state.words import TABLE

from .conftest import add_link_for, add_namespaces_for, sh

ROOT = Path(__file__).parents[2]
SPECS = sorted((ROOT / "rulesets").glob("*.toml"))
MORE = sorted((ROOT / "tests" / "corpus" / "good").glob("*.toml"))


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_ruleset_loads_and_its_listing_is_its_normal_form(path: Path) -> None:
    """Read back and rendered, a listing loads again and is listed in the same words."""
    file = path.with_suffix(".nft")
    with Room.scratch() as room:
        sh(f"nft -f {file}", room)
        listed = room.run(lambda: Nftables().read([TABLE]))
        listing = sh("nft -s list ruleset", room)
    assert read_listing(listing) == listed
    assert normal_form(read_listing(file.read_text())) == listed
    with Room.scratch() as room:
        room.run(lambda: Nftables().run(ruleset_text(listed)))
        assert sh("nft -s list ruleset", room) == listing


@pytest.mark.parametrize("path", SPECS + MORE, ids=lambda path: path.stem)
def test_printed_commands_reach_what_diff_wants(path: Path, tmp_path: Path) -> None:
    spec = load(path)
    for number, uplink in enumerate(u for router in spec.routers for u in router.uplinks):
        add_link_for(uplink, number)
    add_namespaces_for(spec)
    script = tmp_path / "script"
    # With what is beside each command, too: it can be run as it is printed.
    script.write_text(nftnsr("compile", path, *(["--explain"] if path in SPECS else []), status=0))
    assert nftnsr("diff", path, status=1)
    sh(f"sh -e {script}")
    assert nftnsr("diff", path, status=0) == ""


def nftnsr(verb: str, path: Path, *options: str, status: int) -> str:
    command = [sys.executable, "-m", "nftnsr", verb, path, *options]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout
