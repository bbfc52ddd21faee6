"""Who holds an interface, told from the files that network managers leave."""

from __future__ import annotations

from pathlib import Path

import pytest

from nftnsr.kernel.managers import Manager, managers

NETWORKD = "ADMIN_STATE={}\nOPER_STATE=routable\nNETWORK_FILE={}\n"
HELD: dict[str, tuple[dict[str, str], str, str]] = {
    "networkd": (
        {"run/systemd/netif/links/2": NETWORKD.format("configured", "/etc/systemd/network/a")},
        "systemd-networkd",
        "RequiredForOnline=no in [Link] of /etc/systemd/network/a",
    ),
    "netplan": (
        {
            "run/systemd/netif/links/2": NETWORKD.format(
                "configured", "/run/systemd/network/10-netplan-ens3.network"
            )
        },
        "systemd-networkd",
        "optional: true for ens3 in /etc/netplan",
    ),
    "NetworkManager": (
        {"run/NetworkManager/devices/2": "[device]\nmanaged=true\nnm-owned=0\n"},
        "NetworkManager",
        "unmanaged-devices=interface-name:ens3",
    ),
    "ifupdown auto": (
        {
            "run/network/ifstate": "lo=lo\nens3=ens3\n",
            "etc/network/interfaces": "auto lo ens3\niface ens3 inet dhcp\n",
        },
        "ifupdown",
        "do not restart networking.service",
    ),
    "ifupdown allow-hotplug": (
        {
            "run/network/ifstate": "lo=lo\nens3=ens3\n",
            "etc/network/interfaces.d/a": "allow-hotplug ens3\n",
        },
        "ifupdown",
        "write `auto ens3` for `allow-hotplug ens3`",
    ),
    "dhclient": (
        {"run/dhclient.ens3.pid": "412\n", "proc/412/comm": "dhclient\n"},
        "dhclient",
        "kill 412",
    ),
    "dhcpcd": (
        {"run/dhcpcd/pid": "413\n", "proc/413/comm": "dhcpcd\n"},
        "dhcpcd",
        "denyinterfaces ens3",
    ),
}
NOT_HELD: dict[str, dict[str, str]] = {
    "nothing": {},
    "networkd leaves it alone": {
        "run/systemd/netif/links/2": "ADMIN_STATE=unmanaged\nOPER_STATE=routable\n"
    },
    "NetworkManager leaves it alone": {"run/NetworkManager/devices/2": "[device]\nmanaged=false\n"},
    "another index": {"run/NetworkManager/devices/3": "[device]\nmanaged=true\n"},
    "another of that beginning": {"run/network/ifstate": "ens33=ens33\nens3.5=ens3.5\n"},
    "a dead client": {"run/dhclient.ens3.pid": "412\n"},
    "a pid that is another's by now": {
        "run/dhclient.ens3.pid": "412\n",
        "proc/412/comm": "bash\n",
    },
    "a client that was told": {
        "run/dhcpcd/pid": "413\n",
        "proc/413/comm": "dhcpcd\n",
        "etc/dhcpcd.conf": "denyinterfaces wlan0 ens3\n",
    },
}


def held(root: Path, files: dict[str, str]) -> tuple[Manager, ...]:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return managers("ens3", 2, root)


@pytest.mark.parametrize("case", HELD)
def test_manager_is_named_with_what_to_change(tmp_path: Path, case: str) -> None:
    files, name, repair = HELD[case]
    (manager,) = held(tmp_path, files)
    assert manager.name == name
    assert manager.fact.startswith(f"{name} ")
    assert "ens3" in manager.fact
    assert repair in manager.repair


@pytest.mark.parametrize("case", NOT_HELD)
def test_nobody_is_named_for_nothing(tmp_path: Path, case: str) -> None:
    assert held(tmp_path, NOT_HELD[case]) == ()


def test_all_managers_are_named(tmp_path: Path) -> None:
    files = {**HELD["ifupdown auto"][0], **HELD["dhclient"][0]}
    assert [m.name for m in held(tmp_path, files)] == ["ifupdown", "dhclient"]
