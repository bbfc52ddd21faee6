"""Laws of the pictures for random routers."""

from __future__ import annotations

from xml.etree import ElementTree

from attrs import evolve
from hypothesis import given

from nftnsr.report.graph import picture
from nftnsr.report.graph.lanes import lanes
from nftnsr.spec.model import Router, Spec
from tests.strategies import routers
from tests.unit.test_graph import illegible


@given(routers("lan"), routers("wan"))
def test_every_word_has_its_place_in_the_picture_of_any_routers(one: Router, other: Router) -> None:
    assert not list(illegible(Spec((one, other))))


@given(routers())
def test_every_port_that_is_forwarded_is_in_every_picture(router: Router) -> None:
    spec = Spec((router,))
    label = [line for lane in lanes(router) if lane.kind == "forward" for line in lane.label]
    root = ElementTree.fromstring(picture(spec))
    svg = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    for line in label:
        assert line in svg
        assert line in picture(spec, "mermaid")
        assert line in picture(spec, "dot")
    translated = [f for f in router.forward if f.nat]
    assert bool(label) == bool(translated or router.one_to_one or router.prefix_translation)


@given(routers())
def test_order_of_forwards_changes_no_more_than_the_order_of_arrows(router: Router) -> None:
    turned = evolve(router, forward=router.forward[::-1])
    assert sorted(map(str, lanes(router))) == sorted(map(str, lanes(turned)))
