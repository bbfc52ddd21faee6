"""An element of `addresses`: an address, or a table that says more of one."""

from __future__ import annotations

from typing import Any

from . import values
from .draft import At
from .keys import ADDRESS_KEYS
from .model import AddressOptions, Interface
from .problems import Fault, Path
from .table import Table
from .values import unreadable
from .words import kind_of


class Addresses:
    """Reads the elements, and keeps the `options` of those that are tables."""

    def __init__(self, faults: list[Fault]) -> None:
        self.options: list[At[AddressOptions]] = []
        self._faults = faults

    def __call__(self, value: object, path: Path) -> Interface | None:
        if isinstance(value, str):
            return values.interface(value)
        if isinstance(value, dict):
            return self._from_table(value, path)
        message = f"an element of `addresses` must be a string or a table, not {kind_of(value)}"
        raise unreadable(message, 'write "192.0.2.10/24" or { address = "192.0.2.10/24" }')

    def _from_table(self, raw: dict[str, Any], path: Path) -> Interface | None:
        table = Table(raw, path, ADDRESS_KEYS, self._faults)
        address = table.text("address", values.interface)
        table.flag("noprefixroute")
        table.flag("nodad")
        table.setting("preferred_lifetime", values.duration, None)
        table.setting("valid_lifetime", values.duration, None)
        if address is None:
            return None
        options = AddressOptions(address.value, **table.settings)
        self.options.append(At(path, options))
        return address.value
