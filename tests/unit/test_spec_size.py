"""A large spec is read in a moment: no rule compares every forward with every other one."""

from __future__ import annotations

from collections.abc import Callable
from time import process_time

import pytest

from nftnsr.spec import SpecError, parse

COUNT = 60000
SPEC = """\
[router.a]
uplink = "ens3"
addresses = ["192.0.2.10/24", "192.0.2.11/24"]
forward = [
{forwards}
]
[router.a.host]
interface = "vens3"
addresses = ["192.168.158.2/24"]
router_addresses = ["192.168.158.1/24"]
networks = ["10.0.0.0/8"]
"""


def spec(forward: Callable[[int], str]) -> str:
    return SPEC.format(forwards=",\n".join(forward(n) for n in range(1, COUNT + 1)))


def short(n: int) -> str:
    return f'"{n}/tcp -> 10.42.{n // 256}.{n % 256}:80"'


def one_port(n: int) -> str:
    sender = f"100.64.{n // 256}.{n % 256}/32"
    return f'{{ port = 443, hairpin = false, from = ["{sender}"] }}'


def one_address(n: int) -> str:
    return f'"192.0.2.{10 + n % 2}:{n // 2 + 1}/tcp+udp -> 10.42.{n // 256}.{n % 256}:80"'


@pytest.mark.parametrize("forward", [short, one_port, one_address])
def test_60000_forwards_are_read_in_seconds(forward: Callable[[int], str]) -> None:
    text = spec(forward)
    start = process_time()
    routers = parse(text, "spec.toml").routers
    assert process_time() - start < 8  # quadratic would be minutes
    assert len(routers[0].forward) == COUNT


def test_60000_problems_are_told_in_seconds() -> None:
    text = spec(lambda n: '"443/tcp"')
    start = process_time()
    with pytest.raises(SpecError) as caught:
        parse(text, "spec.toml")
    assert process_time() - start < 8
    assert len(caught.value.problems) == COUNT - 1
