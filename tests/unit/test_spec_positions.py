"""The scanner finds keys and values wherever TOML lets them stand."""

from __future__ import annotations

import sys

from nftnsr.spec.positions import scan

TEXT = '''\
# comment [not.a.header]
a.b . "c.d" = 'x' # "y"
[router."ens 3".host]
list = [ # ]
  "a]", # "b"
  { port = 443, 'to' = ":\\"80" },
  [1979-05-27 07:32:00, -1.5e3,],
]
text = """
] = [
quotes""""" # after
[[many]]
n = 1
[[many]]
n = 2
[many.sub]
x = true
'''


def at(*path: str | int) -> str:
    place = scan(TEXT)[path]
    assert place.value is not None
    return TEXT[place.value.start : place.value.end]


def key_at(*path: str | int) -> str:
    place = scan(TEXT)[path]
    return TEXT[place.key.start : place.key.end]


def test_values_are_found() -> None:
    assert at("a", "b", "c.d") == "'x'"
    assert at("router", "ens 3", "host", "list", 0) == '"a]"'
    assert at("router", "ens 3", "host", "list", 1, "port") == "443"
    assert at("router", "ens 3", "host", "list", 1, "to") == '":\\"80"'
    assert at("router", "ens 3", "host", "list", 2, 0) == "1979-05-27 07:32:00"
    assert at("router", "ens 3", "host", "list", 2, 1) == "-1.5e3"
    assert at("router", "ens 3", "host", "text") == '"""\n] = [\nquotes"""""'
    assert at("many", 0, "n") == "1"
    assert at("many", 1, "n") == "2"
    assert at("many", 1, "sub", "x") == "true"


def test_keys_are_found() -> None:
    assert key_at("a", "b") == "b"
    assert key_at("a", "b", "c.d") == '"c.d"'
    assert key_at("router", "ens 3") == '"ens 3"'
    assert key_at("router", "ens 3", "host") == "host"
    assert key_at("many", 1) == "many"
    assert key_at("many", 1, "sub") == "sub"


def test_a_table_is_found_at_its_own_header_wherever_that_stands() -> None:
    text = "[a.b]\nx = 1\n[a]\ny = 2\n"
    assert scan(text)["a",].key.start == text.index("[a]") + 1


def test_deepest_nesting_that_tomli_accepts_is_scanned() -> None:
    text = "x = " + "[" * 400 + "]" * 400
    assert len(scan(text)) == 400
    assert sys.getrecursionlimit() >= 1000
