"""Who is not root rehearses all the same, and where that is forbidden is told by what."""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
import sysconfig
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.kernel.conftest import ARTICLE, everything, sh

_ROOT = Path("/mnt")
_REPOSITORY = Path(__file__).parents[2]

NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all")
LESSER_ROOT = ("setpriv", "--bounding-set=-sys_admin")
"""As in a container."""


@pytest.fixture
def nftnsr(box: None) -> tuple[str, ...]:
    """The program where everybody can read it, wherever this repository and its Python lie."""
    sh(f"mount -t tmpfs none {_ROOT}")
    own = {"python": sys.base_prefix, "site": sysconfig.get_path("purelib"), "src": _REPOSITORY}
    for name, source in own.items():
        sh(f"mkdir {_ROOT}/{name}; mount --bind {source} {_ROOT}/{name}")
    (_ROOT / "article.toml").write_text(ARTICLE)
    python = _ROOT / "python/bin" / f"python3.{sys.version_info.minor}"
    where = (f"PYTHONPATH={_ROOT}/src:{_ROOT}/site", f"LD_LIBRARY_PATH={_ROOT}/python/lib")
    return ("env", *where, "PYTHONDONTWRITEBYTECODE=1", str(python), "-m", "nftnsr")


def run(*command: str) -> subprocess.CompletedProcess[str]:
    # From where there is no package of that name.
    return subprocess.run(command, capture_output=True, text=True, cwd="/", check=False)


def rehearse(nftnsr: tuple[str, ...]) -> tuple[str, ...]:
    return (*nftnsr, "rehearse", "--json", f"{_ROOT}/article.toml")


@pytest.mark.parametrize("who", [NOBODY, LESSER_ROOT], ids=["nobody", "root of a container"])
def test_everybody_can_rehearse(nftnsr: tuple[str, ...], who: tuple[str, ...]) -> None:
    before = everything()
    done = run(*who, *rehearse(nftnsr))
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    assert outcome["ok"] and outcome["untried"] == []
    kinds = {result["kind"] for result in outcome["results"]}
    assert kinds == {"ndp", "out", "in", "hairpin", "closed", "blocked", "transit", "size", "leak"}
    assert everything() == before


def test_end_of_an_unprivileged_parent_ends_everything(nftnsr: tuple[str, ...]) -> None:
    with subprocess.Popen(
        [*NOBODY, *nftnsr, "rehearse", f"{_ROOT}/article.toml"],
        stdout=subprocess.PIPE, text=True, cwd="/",
    ) as parent:  # fmt: skip
        assert parent.stdout is not None
        assert parent.stdout.readline().startswith("  ok")
        (child,) = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
        # So that it does not end by itself: only a kill reaches a stopped process.
        os.kill(int(child), signal.SIGSTOP)
        parent.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 10
    try:
        while Path("/proc", child, "exe").exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        with suppress(ProcessLookupError):
            os.kill(int(child), signal.SIGKILL)


def prepared(commands: str) -> tuple[str, ...]:
    """What runs a program with mounts of its own that `commands` have changed: no test's box does
    that for the tests after it.
    """
    return ("unshare", "--mount", "bash", "-ec", f'{commands}; exec "$@"', "-")


LIMITS = ("user.max_user_namespaces", "user.max_net_namespaces", "user.max_mnt_namespaces")


@pytest.mark.parametrize("limit", LIMITS)
def test_limit_that_forbids_it_is_named(nftnsr: tuple[str, ...], limit: str) -> None:
    # The limits of a user namespace are its own.
    script = f'echo 0 > /proc/sys/{limit.replace(".", "/")}; exec "$@"'
    inside = ("unshare", "--user", "--map-root-user", "bash", "-c", script, "-")
    done = run(*inside, *LESSER_ROOT, *rehearse(nftnsr))
    assert done.returncode == 2
    assert "No space left on device" in json.loads(done.stdout)["error"]
    assert f"hint: {limit} = 0 forbids it" in done.stderr


# What a container's seccomp profile does: unshare(2) is refused.
SECCOMP = """
import ctypes, os, struct, sys
number = {"x86_64": 272, "aarch64": 97}[sys.argv[1]]
load, equal, answer = 0x20, 0x15, 0x06  # linux/bpf_common.h
allow, refuse = 0x7FFF0000, 0x00050000 | 1  # linux/seccomp.h, EPERM
program = b"".join(struct.pack("HBBI", *each) for each in (
    (load, 0, 0, 0), (equal, 0, 1, number), (answer, 0, 0, refuse), (answer, 0, 0, allow)))
buffer = ctypes.create_string_buffer(program)
wanted = struct.pack("HxxxxxxP", 4, ctypes.addressof(buffer))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, wanted, 0, 0) == 0
os.execvp(sys.argv[2], sys.argv[2:])
"""


@pytest.mark.parametrize(
    ("setting", "value", "hint"),
    [
        ("unprivileged_userns_clone", "0", "kernel.unprivileged_userns_clone = 0 forbids it"),
        ("apparmor_restrict_unprivileged_userns", "1", "unprivileged_userns = 1 forbids it"),
        ("unprivileged_userns_clone", "1", "start the container with --privileged"),
    ],
)
def test_what_forbids_user_namespaces_is_named(
    nftnsr: tuple[str, ...], setting: str, value: str, hint: str
) -> None:
    # Settings that other kernels have: here they only stand beside the refusal.
    directory = "/proc/sys/kernel"
    fake = prepared(f"mount -t tmpfs none {directory}; echo {value} > {directory}/{setting}")
    filtered = (sys.executable, "-c", SECCOMP, platform.machine())
    done = run(*fake, *filtered, *NOBODY, *rehearse(nftnsr))
    assert done.returncode == 2, done.stdout
    assert "unshare user, network and mount namespace: Operation not permitted" in done.stderr
    assert hint in done.stderr


def test_settings_that_cannot_be_written_are_told(nftnsr: tuple[str, ...]) -> None:
    read_only = "mount --bind /proc/sys /proc/sys; mount -o remount,bind,ro /proc/sys"
    done = run(*prepared(read_only), *NOBODY, *rehearse(nftnsr))
    assert done.returncode == 2
    assert "/proc/sys is read-only" in done.stderr and "--privileged" in done.stderr


def test_program_beside_the_missing_state_directory_is_found(nftnsr: tuple[str, ...]) -> None:
    # As that of a continuous integration, in /var/lib/jenkins.
    there = "mount -t tmpfs none /var/lib; mkdir /var/lib/worker"
    moved = f"{there}; mount --rbind {_ROOT} /var/lib/worker; umount -R {_ROOT}"
    command = (word.replace(str(_ROOT), "/var/lib/worker") for word in rehearse(nftnsr))
    done = run(*prepared(moved), *NOBODY, *command)
    assert done.returncode == 0, done.stderr
