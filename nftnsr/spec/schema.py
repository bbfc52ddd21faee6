"""The JSON Schema of a spec, for editors: `python -m nftnsr.spec.schema` prints it.

It knows types and the shape of strings; what must hold between values, only the rules know.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from ipaddress import IPv6Address
from typing import Any, Final, get_args

import tomli
from attrs import Attribute, fields_dict

from .keys import (
    ADDRESS_KEYS,
    FILTER_KEYS,
    FORWARD_KEYS,
    FURTHER_KEYS,
    HOST_KEYS,
    INNER_KEYS,
    MADE_KEYS,
    ROUTE_KEYS,
    ROUTER_KEYS,
    SERVICE_KEYS,
    SNAT_KEYS,
    Key,
    Kind,
)
from .model import (
    AddressOptions,
    Filter,
    Forward,
    Helper,
    Inner,
    MadeUplink,
    Router,
    Service,
    SourceNat,
    StaticRoute,
    Uplink,
    UplinkKind,
)

Schema = dict[str, Any]

_LENGTH: Final = "/(0|[1-9][0-9]{0,2})"
_IP: Final = r"[0-9A-Fa-f:.]+"
_PORT: Final = "[1-9][0-9]{0,4}"
_RANGE: Final = rf"{_PORT}(-{_PORT})?"
_PROTOCOLS: Final = r"(tcp|udp|sctp)(\+(tcp|udp|sctp))*"
_RATE: Final = "[1-9][0-9]{0,5}/(second|minute|hour|day)"
_HOST: Final = r"(\[[0-9A-Fa-f:.]+\]|[0-9.]+)"
_TARGET: Final = rf"{_HOST}(:{_RANGE})?|:{_RANGE}"
_PORTS: Final = f"{_RANGE}(,{_RANGE})*/{_PROTOCOLS}"
_OUT: Final = f"{_IP}{_LENGTH}"
_GOAL: Final = rf"(default|{_IP}({_LENGTH})?)"
_PAIRS: Final = r"(\s+\S+\s+\S+)*"
_UPLINK_NAME: Final = "^[A-Za-z][A-Za-z0-9_-]{0,30}$"
_PATTERNS: Final = {
    "interface": r'[^\s/:%"*\\]{1,15}',
    "namespace": r'[^-\s/"\\][^\s/"\\]{0,254}',
    "address with prefix length": f"{_IP}{_LENGTH}",
    "address": _IP,
    "network": f"{_IP}{_LENGTH}",
    "link-local address": r"[Ff][Ee][89ABab][0-9A-Fa-f]:[0-9A-Fa-f:.]*",
    "ports": rf"{_PORT}-{_PORT}|{_RANGE}(,{_RANGE})+",
    "protocols": _PROTOCOLS,
    "target": _TARGET,
    "forward": rf"({_HOST}:)?{_RANGE}(,{_RANGE})*/{_PROTOCOLS}([ \t]*->[ \t]*({_TARGET}))?",
    "port": _PORTS,
    "way out": rf"{_OUT}[ \t]*->[ \t]*(nothing|{_OUT}|({_OUT}[ \t]+)?{_PORTS})",
    "pair of addresses": rf"{_IP}[ \t]*<->[ \t]*{_IP}",
    "pair of prefixes": rf"{_IP}{_LENGTH}[ \t]*<->[ \t]*{_IP}{_LENGTH}",
    "translation": rf"{_IP}{_LENGTH}[ \t]*->[ \t]*{_IP}(-{_IP})?",
    "pool": f"{_IP}(-{_IP})?",
    "forward name": r'[^"\\]{1,64}',
    "route": rf"\s*((unicast|blackhole|unreachable|prohibit)\s+)?{_GOAL}{_PAIRS}\s*",
    "rule": r"\s*\S+(\s+\S+)*\s*",
    "neighbour": rf"\s*{_IP}{_PAIRS}\s*",
    "destination": _GOAL,
    "MAC address": "[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}",
    "alternative name": r'[^\s/:%"*\\]{1,127}',
    "rate": _RATE,
    "limit": f"{_RATE}( burst [1-9][0-9]{{0,5}})?",
    "log prefix": r'[^"\\]{1,100}',
    "duration": "[0-9]{1,10}[smhd]",
}

_STRINGS: Final = {
    Kind.INTERFACE: "interface",
    Kind.INTERFACE_ADDRESS: "address with prefix length",
    Kind.NAMESPACE: "namespace",
    Kind.LINK_LOCAL: "link-local address",
    Kind.PROTOCOLS: "protocols",
    Kind.LIMIT: "limit",
    Kind.NETWORK: "network",
    Kind.POOL: "pool",
    Kind.NAME: "forward name",
    Kind.RATE: "rate",
    Kind.LOG_PREFIX: "log prefix",
    Kind.DESTINATION: "destination",
    Kind.ADDRESS: "address",
    Kind.MAC: "MAC address",
    Kind.DURATION: "duration",
}
_ARRAYS: Final = {
    Kind.INTERFACE_ADDRESSES: "address with prefix length",
    Kind.NETWORKS: "network",
    Kind.SOURCES: "network",
    Kind.ONE_TO_ONE: "pair of addresses",
    Kind.PREFIXES: "pair of prefixes",
    Kind.EGRESS: "way out",
    Kind.RULES: "rule",
    Kind.NEIGHBOURS: "neighbour",
    Kind.ALTNAMES: "alternative name",
}
_ONE_OR_MORE: Final = {Kind.PUBLIC: "address", Kind.TARGETS: "target"}
_STRINGS_OR_TABLES: Final[Mapping[Kind, tuple[str, dict[str, Key], type]]] = {
    Kind.UPLINK_ADDRESSES: ("address with prefix length", ADDRESS_KEYS, AddressOptions),
    Kind.FORWARDS: ("forward", FORWARD_KEYS, Forward),
    Kind.SNAT: ("translation", SNAT_KEYS, SourceNat),
    Kind.SERVICES: ("port", SERVICE_KEYS, Service),
    Kind.ROUTES: ("route", ROUTE_KEYS, StaticRoute),
}
_INTEGERS: Final = {
    Kind.VLAN: (1, 4094),
    Kind.COUNT: (0, 2**31 - 1),
    Kind.LOG_GROUP: (0, 65535),
    Kind.ROUTING_TABLE: (1, 2**32 - 1),
    Kind.MTU: (68, 65535),
    Kind.METRIC: (1, 2**31 - 1),
    Kind.MARK: (1, 2**32 - 1),
}
_CHOICES: Final[Mapping[Kind, tuple[str | int, ...]]] = {
    Kind.UPLINK_KIND: get_args(UplinkKind),
    Kind.UPLINK_MODE: ("bridge", "private", "vepa", "l2", "l3", "l3s"),
    Kind.LEVEL: (0, 1, 2),
    Kind.INBOUND_IPV6: ("open", "forwards"),
    Kind.BALANCE: ("source", "round-robin"),
    Kind.SOURCE_PORTS: ("preserve", "random", "fully-random"),
    Kind.ROUTE_TYPE: ("unicast", "blackhole", "unreachable", "prohibit"),
}


def schema() -> Schema:
    """The whole schema, JSON Schema draft 2020-12."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "nftnsr spec",
        "type": "object",
        "additionalProperties": False,
        "required": ["router"],
        "properties": {
            "router": {
                "description": "The routers by name, each a network namespace.",
                "type": "object",
                "minProperties": 1,
                "additionalProperties": _table(ROUTER_KEYS, Router, Uplink),
            }
        },
    }


def _table(keys: dict[str, Key], *models: type) -> Schema:
    """`models` hold the fields that the keys are read into."""
    fields = {name: each for model in models for name, each in fields_dict(model).items()}
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [key.name for key in keys.values() if key.required],
        "properties": {key.name: _property(key, fields) for key in keys.values()},
    }


def _property(key: Key, fields: Mapping[str, Attribute[Any]]) -> Schema:
    example = tomli.loads(key.line)[key.name]
    result: Schema = {"description": key.doc, "examples": [example], **_value(key)}
    default = fields[key.attribute].default
    if key.kind in (Kind.METRIC, Kind.MARK):
        default = None  # the model's is that of the first uplink, which has no such key
    match default:
        case bool() | int():
            result["default"] = default
        case str() | IPv6Address():
            result["default"] = str(default)
        case (str(), *_):
            result["default"] = "+".join(default)
    return result


def _value(key: Key) -> Schema:
    kind = key.kind
    if kind in _STRINGS:
        return _string(_STRINGS[kind])
    if kind in _ARRAYS:
        return _array(_string(_ARRAYS[kind]), key.required or kind is Kind.SOURCES)
    if kind in _ONE_OR_MORE:
        return _one_or_more(_ONE_OR_MORE[kind])
    if kind in _STRINGS_OR_TABLES:
        string, keys, model = _STRINGS_OR_TABLES[kind]
        return _array({"anyOf": [_string(string), _table(keys, model)]}, key.required)
    if kind in _INTEGERS:
        return _integer(*_INTEGERS[kind])
    if kind in _CHOICES:
        return {"enum": list(_CHOICES[kind])}
    return _structure(kind)


def _structure(kind: Kind) -> Schema:
    """Of a kind that is like no other."""
    match kind:
        case Kind.UPLINK:
            return {"anyOf": [_string("interface"), _table(MADE_KEYS, MadeUplink)]}
        case Kind.UPLINKS:
            return _tables(_UPLINK_NAME, _table(FURTHER_KEYS, Uplink))
        case Kind.GATEWAYS:
            return {**_array(_string("address")), "maxItems": 2}
        case Kind.HOST:
            return _table(HOST_KEYS, Inner)
        case Kind.INNER:
            return {"type": "object", "additionalProperties": _table(INNER_KEYS, Inner)}
        case Kind.FILTER:
            return _table(FILTER_KEYS, Filter)
        case Kind.FLAG:
            return {"type": "boolean"}
        case Kind.PORTS:
            one = [_integer(1, 65535), _string("ports")]
            return {"anyOf": [*one, _array({"anyOf": one}, not_empty=True)]}
        case Kind.HELPERS:
            return _array({"enum": list(get_args(Helper))})
        case Kind.MSS:
            return {"anyOf": [{"type": "boolean"}, _integer(536, 65495)]}
        case Kind.BLOCKLISTS:
            name = "^[A-Za-z][A-Za-z0-9_-]{0,30}$"
            return {
                "type": "object",
                "additionalProperties": False,
                "patternProperties": {name: {"type": "string"}},
            }
        case Kind.SYSCTLS:
            # Unquoted, the dots of a name make tables in tables.
            return {
                "type": "object",
                "additionalProperties": {"type": ["integer", "string", "object"]},
            }
        case _:
            raise AssertionError(f"no schema of {kind}")


def _tables(name: str, table: Schema) -> Schema:
    """Tables by their names."""
    return {"type": "object", "propertyNames": {"pattern": name}, "additionalProperties": table}


def _integer(first: int, last: int) -> Schema:
    return {"type": "integer", "minimum": first, "maximum": last}


def _string(what: str) -> Schema:
    return {"type": "string", "title": what, "pattern": f"^({_PATTERNS[what]})$"}


def _one_or_more(what: str) -> Schema:
    return {"anyOf": [_string(what), _array(_string(what), not_empty=True)]}


def _array(items: Schema, not_empty: bool = False) -> Schema:
    return {"type": "array", "items": items, **({"minItems": 1} if not_empty else {})}


def text() -> str:
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    print(text(), end="")
