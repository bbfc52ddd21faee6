"""Who on this machine configures an interface, by the marks that network managers leave.

Nothing is asked of any of them: what is read here is a handful of small files below `root`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from attrs import frozen

_NETWORKD_IDLE = ("unmanaged", "initialized", "pending", "")


@frozen
class Manager:
    """One that holds an interface: what that means for a router, and what to change there."""

    name: str
    fact: str
    repair: str


def managers(dev: str, index: int, root: Path = Path("/")) -> tuple[Manager, ...]:
    """All that hold the interface `dev` of this index."""
    return (
        *_networkd(dev, index, root),
        *_network_manager(dev, index, root),
        *_ifupdown(dev, root),
        *_dhcp_clients(dev, root),
    )


def _networkd(dev: str, index: int, root: Path) -> Iterator[Manager]:
    state = _assignments(root / f"run/systemd/netif/links/{index}")
    if state.get("ADMIN_STATE", "") in _NETWORKD_IDLE:
        return
    file = state.get("NETWORK_FILE", "the .network file that matches it")
    if file.startswith("/run/systemd/network/") and "netplan" in file:
        where = f"optional: true for {dev} in /etc/netplan"
    else:
        where = f"RequiredForOnline=no in [Link] of {file}"
    yield Manager(
        "systemd-networkd",
        f"systemd-networkd holds {dev}: it configures it again whenever it is back on this host, "
        "and waits for it at boot",
        f"say {where}; the rest of its configuration does no harm",
    )


def _network_manager(dev: str, index: int, root: Path) -> Iterator[Manager]:
    state = _assignments(root / f"run/NetworkManager/devices/{index}")
    if state.get("managed") in ("true", "1"):
        yield Manager(
            "NetworkManager",
            f"NetworkManager holds {dev}: it configures it again whenever it is back on this host",
            f"say unmanaged-devices=interface-name:{dev} in [keyfile] of "
            "/etc/NetworkManager/conf.d/nftnsr.conf; then the spec alone configures it at boot",
        )


def _ifupdown(dev: str, root: Path) -> Iterator[Manager]:
    if not any(w.split("=")[0] == dev for w in _text(root / "run/network/ifstate").split()):
        return
    directory = root / "etc/network"
    files = (directory / "interfaces", *sorted((directory / "interfaces.d").glob("*")))
    lines = [line.split() for file in files for line in _text(file).splitlines()]
    if any(words[:1] == ["allow-hotplug"] and dev in words for words in lines):
        fact = "runs ifdown when it leaves this host, in the middle of an apply"
        repair = f"write `auto {dev}` for `allow-hotplug {dev}` in /etc/network/interfaces"
    else:
        fact = "takes it to be up also while it is in the router"
        repair = f"do not restart networking.service, nor run ifdown {dev}, before nftnsr down"
    yield Manager("ifupdown", f"ifupdown holds {dev}: it {fact}", repair)


def _dhcp_clients(dev: str, root: Path) -> Iterator[Manager]:
    for path in (f"run/dhclient.{dev}.pid", f"run/dhclient6.{dev}.pid"):
        if pid := _living(root, path, "dhclient"):
            yield Manager(
                "dhclient",
                f"dhclient (process {pid}) holds {dev}: it will miss it when its lease ends",
                f"configure {dev} with its static address, and stop it once the router is up "
                f"(kill {pid})",
            )
    for path in (f"run/dhcpcd/{dev}.pid", f"run/dhcpcd-{dev}.pid", "run/dhcpcd/pid"):
        if (pid := _living(root, path, "dhcpcd")) and not _denied(dev, root):
            yield Manager(
                "dhcpcd",
                f"dhcpcd (process {pid}) holds {dev}: it configures every interface that appears",
                f"say `denyinterfaces {dev}` and the veth's name in /etc/dhcpcd.conf",
            )
            return


def _living(root: Path, path: str, command: str) -> str | None:
    """The pid in a pid file, if that process runs and is the one that wrote it."""
    pid = _text(root / path).strip()
    alive = pid.isdecimal() and _text(root / "proc" / pid / "comm").strip() == command
    return pid if alive else None


def _denied(dev: str, root: Path) -> bool:
    lines = (line.split() for line in _text(root / "etc/dhcpcd.conf").splitlines())
    return any(words[:1] == ["denyinterfaces"] and dev in words for words in lines)


def _assignments(path: Path) -> dict[str, str]:
    pairs = (line.partition("=") for line in _text(path).splitlines())
    return {name.strip(): value.strip() for name, sign, value in pairs if sign}


def _text(path: Path) -> str:
    with suppress(OSError, UnicodeDecodeError):
        return path.read_text()
    return ""
