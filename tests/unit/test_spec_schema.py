"""The schema, the model, the key table and the reader agree."""

from __future__ import annotations

from importlib.resources import files

import pytest
import tomli
from attrs import fields
from jsonschema import Draft202012Validator

from nftnsr.spec import SpecError, parse
from nftnsr.spec.keys import (
    ADDRESS_KEYS,
    FORWARD_KEYS,
    FURTHER_KEYS,
    HOST_KEYS,
    INNER_KEYS,
    MADE_KEYS,
    ROUTE_KEYS,
    ROUTER_KEYS,
    SNAT_KEYS,
    Key,
)
from nftnsr.spec.model import (
    AddressOptions,
    Forward,
    Inner,
    MadeUplink,
    Router,
    StaticRoute,
    Uplink,
)
from nftnsr.spec.schema import schema, text

COMPLETE = """\
[router.a]
uplink = "ens3"
addresses = ["192.0.2.10/24", "2001:db8:1::3/64"]
{router}
[router.a.host]
interface = "vens3"
addresses = ["192.168.158.2/24", "2001:db8:1::2/128"]
router_addresses = ["192.168.158.1/24"]
networks = ["10.42.0.0/24", "fd00:1::/48"]
{host}
"""


def test_shipped_schema_is_up_to_date() -> None:
    shipped = files("nftnsr.spec").joinpath("schema.json").read_text(encoding="utf-8")
    assert shipped == text()


def test_schema_is_valid() -> None:
    Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize(
    ("keys", "models", "without"),
    [
        (
            ROUTER_KEYS,
            (Router, Uplink),
            {"name", "address_options", "made", "metric", "mark", "networks"},
        ),
        (FURTHER_KEYS, (Uplink,), {"name", "address_options", "made"}),
        (MADE_KEYS, (MadeUplink,), set()),
        (ROUTE_KEYS, (StaticRoute,), set()),
        (ADDRESS_KEYS, (AddressOptions,), set()),
        (HOST_KEYS, (Inner,), {"name", "namespace"}),
        (INNER_KEYS, (Inner,), {"name"}),
        (FORWARD_KEYS, (Forward,), set()),
    ],
)
def test_every_field_of_the_model_has_a_key(
    keys: dict[str, Key], models: tuple[type, ...], without: set[str]
) -> None:
    names = {field.name for model in models for field in fields(model)} - without
    assert {key.attribute for key in keys.values()} == names


@pytest.mark.parametrize("key", FORWARD_KEYS.values(), ids=lambda key: key.name)
def test_reader_and_schema_accept_the_example_of_a_forward_key(key: Key) -> None:
    port = "" if key.name == "port" else "port = 1, "
    port += 'to = ["10.42.0.1", "10.42.0.2"], ' if key.name == "balance" else ""
    # Else the host's own IPv6 addresses are open anyway.
    closed = 'inbound_ipv6 = "forwards"'
    document = COMPLETE.format(router=f"forward = [{{ {port}{key.line} }}]\n{closed}", host="")
    assert parse(document, "a.toml")
    Draft202012Validator(schema()).validate(tomli.loads(document))


def test_reader_and_schema_accept_the_examples_of_snat_keys() -> None:
    words = ", ".join(key.line for key in SNAT_KEYS.values())
    document = COMPLETE.format(router=f"snat = [{{ {words} }}]", host="")
    document = document.replace("192.0.2.10/24", "192.0.2.11/24")
    assert parse(document, "a.toml").routers[0].snat[0].persistent
    Draft202012Validator(schema()).validate(tomli.loads(document))


def test_reader_and_schema_accept_the_examples_of_route_keys() -> None:
    words = ", ".join(key.line for key in ROUTE_KEYS.values())
    document = COMPLETE.format(router=f"routes = [{{ {words} }}]", host="")
    assert parse(document, "a.toml")
    Draft202012Validator(schema()).validate(tomli.loads(document))


def test_reader_and_schema_accept_the_examples_of_address_keys() -> None:
    keys = [key for key in ADDRESS_KEYS.values() if key.name not in ("address", "valid_lifetime")]
    words = ", ".join(key.line for key in keys)
    table = f'{{ address = "2001:db8:1::3/64", {words} }}'
    document = COMPLETE.format(router="", host="").replace('"2001:db8:1::3/64"', table)
    assert parse(document, "a.toml")
    Draft202012Validator(schema()).validate(tomli.loads(document))


@pytest.mark.parametrize("key", [*ROUTER_KEYS.values(), *HOST_KEYS.values()], ids=lambda k: k.name)
def test_reader_and_schema_know_every_key(key: Key) -> None:
    table = "router" if key in ROUTER_KEYS.values() else "host"
    written = key.line if f"\n{key.name} =" not in COMPLETE and key.name != "host" else ""
    written += "\ndefault_route = false" if key.name == "table" else ""  # which it needs
    lines = {"router": "", "host": "", table: written}
    document = COMPLETE.format(**lines)
    assert parse(document, "a.toml")
    Draft202012Validator(schema()).validate(tomli.loads(document))


def test_no_key_is_accepted_that_the_table_does_not_have() -> None:
    with pytest.raises(SpecError, match='unknown key "name"'):
        parse(COMPLETE.format(router='name = "a"', host=""), "a.toml")
