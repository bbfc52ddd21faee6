"""An element of `routes`: the words of ip-route(8), or a table."""

from __future__ import annotations

from typing import Any

from . import phrases, values
from .keys import ROUTE_KEYS
from .model import StaticRoute
from .problems import Fault, Path
from .table import Table
from .values import Unreadable, unreadable
from .words import kind_of


class Routes:
    """Reads an element of `routes`, a string or a table."""

    def __init__(self, faults: list[Fault]) -> None:
        self._faults = faults

    def __call__(self, value: object, path: Path) -> StaticRoute | None:
        if isinstance(value, str):
            return phrases.route(value)
        if isinstance(value, dict):
            return self._from_table(value, path)
        message = f"a route must be a string or a table, not {kind_of(value)}"
        hint = 'write "10.9.0.0/16 via 192.0.2.9" or { destination = "10.9.0.0/16", ... }'
        raise unreadable(message, hint)

    def _from_table(self, raw: dict[str, Any], path: Path) -> StaticRoute | None:
        before = len(self._faults)
        table = Table(raw, path, ROUTE_KEYS, self._faults)
        goal = table.text("destination", phrases.destination)
        table.setting("via", values.gateway, None)
        table.setting("dev", values.interface_name, None)
        table.setting("source", values.unicast, None)
        table.setting("type", phrases.route_type, None)
        table.number("metric", 2**31 - 1)
        table.number("table", 2**32 - 1, 1)
        table.number("mtu", 65535, 68)
        try:
            phrases.routing_table(table.settings.get("table", 1))
        except Unreadable as error:
            table.flaws((*path, "table"), error)
        if goal is None or len(self._faults) > before:
            return None
        return phrases.made_route(goal.value, **table.settings)
