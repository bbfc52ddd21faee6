"""States as JSON, for the records and journals that outlive a process."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable
from functools import cache
from typing import Any, get_args

from cattrs.preconf.json import JsonConverter, make_converter
from cattrs.strategies import configure_tagged_union

from nftnsr.state.model import Address_, Interface_, Item, Network_
from nftnsr.state.operations import Operation


@cache
def converter() -> JsonConverter:
    """A converter for everything in `nftnsr.state`; items and operations carry their kind."""
    made = make_converter(forbid_extra_keys=True)
    for union, parse in (
        (Address_, ipaddress.ip_address),
        (Interface_, ipaddress.ip_interface),
        (Network_, ipaddress.ip_network),
    ):
        made.register_structure_hook(union, _reader(parse))
        for kind in get_args(union):
            made.register_structure_hook(kind, _reader(kind))
            made.register_unstructure_hook(kind, str)
    for tagged in (Item, Operation):
        configure_tagged_union(tagged, made, tag_name="kind_of")
    return made


def _reader(parse: Callable[[str], object]) -> Callable[[str, object], object]:
    return lambda value, _: parse(value)


def dump(value: Any, kind: Any = None) -> Any:
    """JSON-ready data of an attrs value, or of a value of the type `kind`."""
    return converter().unstructure(value, unstructure_as=kind)


def load(data: Any, kind: Any) -> Any:
    """The value of type `kind` that `dump` made `data` of."""
    return converter().structure(data, kind)


def to_text(value: Any) -> str:
    return json.dumps(dump(value), indent=1) + "\n"


def from_text(text: str | bytes, kind: Any) -> Any:
    return load(json.loads(text), kind)
