"""Every command that the documentation shows does what is shown, on a host of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nftnsr.kernel.namespaces import Room
from tests.transcripts import Step, agrees, steps, timeless

from .conftest import sh

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [p for p in sorted(DOCS.glob("*.md")) if any(steps(p.read_text(encoding="utf-8")))]


@pytest.fixture
def server(box: None) -> Iterator[None]:
    """The virtual server of the documentation, with its provider at the other end of ens3."""
    with Room.scratch() as provider:
        # ip(8) takes the number of a thread, too, for the namespace it is in.
        thread = provider.run(lambda: Path("/proc/thread-self").readlink().name)
        sh(f"""
          ip link add ens3 address 02:00:00:00:00:03 type veth peer name p0 netns {thread}
          ip address add 1.2.3.4/24 dev ens3
          ip address add 2123:2134:abc:ddd::2/64 dev ens3 nodad
          ip link set ens3 up
          ip route add default via 1.2.3.1 dev ens3
          ip -6 route add default via 2123:2134:abc:ddd::1 dev ens3
        """)
        sh("ip address add 1.2.3.1/24 dev p0; ip link set p0 up", provider)
        yield


def _run(command: str, directory: Path) -> str:
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("SSH_", "NFTNSR_"))}
    done = subprocess.run(
        # The last line keeps bash there, so that $$ is a process of the host as in a terminal.
        ["bash", "-c", f"{command}\n:"], cwd=directory, env=kept | {"PATH": path}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    return timeless(done.stdout)


def _performed(step: Step, directory: Path) -> str:
    """What a step prints."""
    match step.kind:
        case "file":
            path = directory / step.what
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(step.text, encoding="utf-8")
            return ""
        case "before" | "command":
            return _run(step.what, directory)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_commands_print_what_the_page_shows(
    path: Path, server: None, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    page, moved = path.read_text(encoding="utf-8"), 0
    for step in tuple(steps(page)):
        said = _performed(step, tmp_path)
        if step.kind != "command" or agrees(step.text, said):
            continue
        if not request.config.getoption("--update-golden"):
            assert said == step.text, f"$ {step.what}"
        new = f"{page[moved + step.start : moved + step.start + 2]}{step.what}\n{said}"
        page = page[: moved + step.start] + new + page[moved + step.end :]
        moved += len(new) - (step.end - step.start)
    if request.config.getoption("--update-golden"):
        path.write_text(page, encoding="utf-8")


def test_pages_have_commands() -> None:
    assert len(PAGES) >= 2
