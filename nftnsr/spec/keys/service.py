"""The keys of a port of the router itself that is a table."""

from __future__ import annotations

from typing import Final

from .forward import FORWARD_KEYS
from .key import Key, Kind, by_name

SERVICE_KEYS: Final = by_name(
    FORWARD_KEYS["port"],
    FORWARD_KEYS["protocol"],
    Key(
        "from",
        Kind.SOURCES,
        "Only these networks may reach the port. Without it, everyone.",
        '["203.0.113.0/24"]',
        field="sources",
    ),
)
