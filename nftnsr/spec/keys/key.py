"""What there is to know of a key."""

from __future__ import annotations

from enum import Enum, auto

from attrs import frozen


class Kind(Enum):
    """What a key's value looks like in TOML."""

    UPLINK = auto()
    UPLINKS = auto()
    UPLINK_KIND = auto()
    UPLINK_MODE = auto()
    VLAN = auto()
    INTERFACE = auto()
    UPLINK_ADDRESSES = auto()
    INTERFACE_ADDRESSES = auto()
    INTERFACE_ADDRESS = auto()
    GATEWAYS = auto()
    NETWORKS = auto()
    SOURCES = auto()
    FORWARDS = auto()
    HOST = auto()
    INNER = auto()
    NAMESPACE = auto()
    FILTER = auto()
    FLAG = auto()
    COUNT = auto()
    LEVEL = auto()
    INBOUND_IPV6 = auto()
    LINK_LOCAL = auto()
    PORTS = auto()
    PROTOCOLS = auto()
    PUBLIC = auto()
    BALANCE = auto()
    LIMIT = auto()
    TARGETS = auto()
    NAME = auto()
    ONE_TO_ONE = auto()
    PREFIXES = auto()
    SNAT = auto()
    NETWORK = auto()
    POOL = auto()
    SOURCE_PORTS = auto()
    HELPERS = auto()
    ROUTES = auto()
    RULES = auto()
    NEIGHBOURS = auto()
    DESTINATION = auto()
    ADDRESS = auto()
    ROUTE_TYPE = auto()
    ROUTING_TABLE = auto()
    SYSCTLS = auto()
    MTU = auto()
    MAC = auto()
    METRIC = auto()
    MARK = auto()
    ALTNAMES = auto()
    DURATION = auto()
    MSS = auto()
    SERVICES = auto()
    EGRESS = auto()
    BLOCKLISTS = auto()
    RATE = auto()
    LOG_PREFIX = auto()
    LOG_GROUP = auto()


@frozen
class Key:
    """`field` is the model's name for the key, where it differs."""

    name: str
    kind: Kind
    doc: str
    example: str  # a value, as TOML
    required: bool = False
    field: str = ""

    @property
    def attribute(self) -> str:
        return self.field or self.name

    @property
    def line(self) -> str:
        return f"{self.name} = {self.example}"


def by_name(*keys: Key) -> dict[str, Key]:
    return {key.name: key for key in keys}
