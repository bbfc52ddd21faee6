"""The systemd units: systemd understands them, and installing them takes nothing of others."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from nftnsr import units
from nftnsr.cli import main

Capture = pytest.CaptureFixture[str]

# Every option of systemd.exec(5) that gives a unit a mount namespace of its own.
_HIDING = {
    "PrivateTmp", "PrivateDevices", "PrivateMounts", "ProtectSystem", "ProtectHome", "ProtectProc",
    "ProcSubset", "ProtectKernelTunables", "ProtectKernelModules", "ProtectKernelLogs",
    "ProtectControlGroups", "ReadWritePaths", "ReadOnlyPaths", "InaccessiblePaths", "ExecPaths",
    "NoExecPaths", "BindPaths", "BindReadOnlyPaths", "TemporaryFileSystem", "RootDirectory",
    "RootImage", "MountImages", "ExtensionImages", "ExtensionDirectories", "DynamicUser",
    "LogNamespace", "MountFlags", "MountAPIVFS", "PrivateIPC", "IPCNamespacePath",
    "PrivateNetwork", "NetworkNamespacePath", "PrivateUsers",
}  # fmt: skip


@pytest.fixture
def root(tmp_path: Path) -> Path:
    tree = tmp_path / "root"
    tree.mkdir()
    return tree


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An nftnsr that is installed, in a place with characters that mean something to systemd."""
    script = tmp_path / "100% of $HOME" / "nftnsr"
    script.parent.mkdir()
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    monkeypatch.setattr("sys.argv", [str(script)])
    return script


def place(root: Path) -> Path:
    return root / "etc/systemd/system"


def test_units_are_what_systemd_understands(command: Path, root: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        reason = "systemd-analyze is missing: apt-get install systemd"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    assert main(["units", "install", "--quiet", "--root", str(root)]) == 0
    for name in units.NAMES:
        done = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", name.replace("@", "@ens3")],
            env={**os.environ, "SYSTEMD_UNIT_PATH": f"{place(root)}:"},
            capture_output=True,
            text=True,
        )
        # An unknown key is only a remark to it, a program that is not there an error.
        assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), name


def test_no_unit_has_a_mount_namespace_that_would_hide_the_router() -> None:
    for name, text in units.texts(("/usr/bin/nftnsr",)).items():
        keys = {line.split("=")[0] for line in text.splitlines() if "=" in line}
        assert not keys & _HIDING, name
        assert ("CapabilityBoundingSet" in keys) == name.endswith(".service")
        assert "@NFTNSR@" not in text and "@HARDENING@" not in text


def test_path_of_the_command_is_quoted_for_systemd() -> None:
    text = units.texts(('/opt/100% of "$HOME"/nftnsr', "$", "-m"))["nftnsr-drift@.service"]
    assert 'ExecStart="/opt/100%% of \\"$HOME\\"/nftnsr" $$ -m diff --quiet' in text


def test_install_and_remove_say_and_do_what_is_missing(
    command: Path, root: Path, capsys: Capture
) -> None:
    installing = ["units", "install", "--quiet", "--root", str(root)]
    assert main(installing) == 0
    files = sorted(place(root).iterdir())
    assert capsys.readouterr().out == "".join(f"+ {place(root) / n}\n" for n in units.NAMES)
    assert {f.name for f in files} == set(units.NAMES)
    assert all(f.stat().st_mode & 0o777 == 0o644 for f in files)
    assert main(installing) == 0
    assert capsys.readouterr() == ("", "")
    files[0].write_text(f"{units.MARK}\n[Unit]\n")  # of an older version
    assert main(installing) == 0
    assert capsys.readouterr().out == f"+ {files[0]}\n"
    assert main(["units", "remove", "--json", "--root", str(root)]) == 0
    assert len(json.loads(capsys.readouterr().out)["removed"]) == 4
    assert list(place(root).iterdir()) == []


def test_unit_of_somebody_else_is_left_alone(command: Path, root: Path, capsys: Capture) -> None:
    place(root).mkdir(parents=True)
    foreign = place(root) / "nftnsr@.service"
    foreign.write_text("[Service]\n")
    assert main(["units", "install", "--root", str(root)]) == 2
    assert f"not written by nftnsr units install: {foreign}" in capsys.readouterr().err
    assert list(place(root).iterdir()) == [foreign]
    assert main(["units", "remove", "--root", str(root)]) == 0
    assert foreign.read_text() == "[Service]\n"


def test_unit_that_is_in_use_is_not_removed(command: Path, root: Path, capsys: Capture) -> None:
    main(["units", "install", "--quiet", "--root", str(root)])
    wants = place(root) / "timers.target.wants"
    wants.mkdir()
    (wants / "nftnsr-drift@ens3.timer").symlink_to("../nftnsr-drift@.timer")
    assert main(["units", "remove", "--root", str(root)]) == 2
    assert "systemctl disable --now nftnsr-drift@ens3.timer" in capsys.readouterr().err
    assert (place(root) / "nftnsr-drift@.timer").exists()


def test_without_systemd_nothing_is_written(
    command: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture, tmp_path: Path
) -> None:
    monkeypatch.setattr("nftnsr.commands.units._RUNS", tmp_path / "none")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert main(["units", "install"]) == 2
    assert "systemd does not run this machine" in capsys.readouterr().err
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert main(["units", "install"]) == 2
    assert "this needs root" in capsys.readouterr().err
    assert main(["units", "install", "--root", str(tmp_path / "none")]) == 2
    assert "there is no directory" in capsys.readouterr().err


def test_nftnsr_that_no_service_would_find_is_no_command_of_a_unit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    bare = tmp_path / "python3"
    bare.write_text(f'#!/bin/sh\nexec {shutil.which("python3", path="/usr/bin")} -S "$@"\n')
    bare.chmod(0o755)
    monkeypatch.setattr("sys.argv", ["nftnsr/__main__.py"])
    monkeypatch.setattr("sys.executable", str(bare))
    assert main(["units", "show"]) == 2
    assert "runs from its source" in capsys.readouterr().err
