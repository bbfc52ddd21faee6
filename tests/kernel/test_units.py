"""What the units take from nftnsr it does not need, and what they leave it needs."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from nftnsr import units
from nftnsr.kernel import namespaces

from .conftest import Segment, sh
from .test_cli import DIFFERS, SAME, TROUBLE, Done, command, environment, nftnsr, spec

__all__ = ["spec"]

_UNIT = units.texts(("nftnsr",))["nftnsr@.service"]
_LEFT = re.findall(r"CAP_(\w+)", re.findall(r"^CapabilityBoundingSet=(.*)", _UNIT, re.M)[0])


def bounds(without: str = "") -> tuple[str, ...]:
    """What leaves a command the capabilities that the units leave it, or one fewer."""
    left = ",".join(f"+{name.lower()}" for name in _LEFT if name != without)
    return ("setpriv", "--no-new-privs", "--inh-caps=-all", f"--bounding-set=-all,{left}")


def bounded(*arguments: str | Path, without: str = "") -> Done:
    return nftnsr(*arguments, prefix=bounds(without))


def test_capabilities_of_the_units_are_enough(segment: Segment, spec: Path) -> None:
    assert bounded("apply", spec).status == SAME
    assert "ens3" in namespaces.names()
    assert bounded("diff", spec) == Done(SAME, "", "")
    sh("ip -n ens3 route del default; ip netns exec ens3 sysctl -qw net.ipv4.ip_forward=0")
    assert bounded("diff", spec).status == DIFFERS
    assert bounded("apply", spec).status == SAME
    assert bounded("down", spec).status == SAME
    assert "ens3" not in namespaces.names()


@pytest.mark.parametrize("capability", ["NET_ADMIN", "SYS_ADMIN"])
def test_apply_needs_the_capability(segment: Segment, spec: Path, capability: str) -> None:
    assert bounded("apply", spec, without=capability).status == TROUBLE


def test_watch_needs_the_capability_to_hear_other_namespaces(segment: Segment, spec: Path) -> None:
    assert nftnsr("apply", spec).status == SAME
    deaf = bounded("watch", spec, without="NET_BROADCAST")
    assert deaf.status == TROUBLE
    assert "hint: this needs CAP_NET_BROADCAST" in deaf.err
    watch = subprocess.Popen(
        [*bounds(), *command("watch", "--heal", "--json", spec)],
        stdout=subprocess.PIPE, text=True, env=environment(),
    )  # fmt: skip
    assert watch.stdout is not None
    for line in watch.stdout:
        if '"in-sync"' in line:
            sh("ip netns exec ens3 nft flush ruleset")
        elif '"healed"' in line:
            watch.terminate()
    assert watch.wait() == 0
    assert nftnsr("diff", spec) == Done(SAME, "", "")


def test_namespace_without_name_is_found_by_the_capability_to_look(
    segment: Segment, spec: Path
) -> None:
    assert nftnsr("apply", spec).status == SAME
    inside = subprocess.Popen(["nsenter", "--net=/run/netns/ens3", "sleep", "60"])
    try:
        sh("until [ /proc/$0/ns/net -ef /run/netns/ens3 ]; do sleep 0.01; done".replace(
            "$0", str(inside.pid)
        ))  # fmt: skip
        sh("ip netns del ens3")
        assert "it has lost its name" not in bounded("diff", spec, without="SYS_PTRACE").out
        assert "it has lost its name" in bounded("diff", spec).out
    finally:
        os.kill(inside.pid, signal.SIGKILL)
        inside.wait()


def test_private_mount_namespace_would_hide_the_router(segment: Segment, spec: Path) -> None:
    """The reason for all that the units leave out: mounts in a unit's own never reach the host."""
    private = ("unshare", "--mount", "--propagation", "slave")
    sh("mkdir -p /run/netns; mount --make-shared /run/netns")
    assert nftnsr("apply", spec, prefix=private).status == SAME
    assert "ens3" not in namespaces.names()  # a file is there, which leads nowhere
