"""Links and addresses: the uplink in the namespace, the veth pair between it and the host."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from ipaddress import IPv6Interface

from attrs import evolve

from nftnsr.compile.families import family
from nftnsr.spec.model import AddressOptions, Interface, Router
from nftnsr.state.model import HOST, OURS, Address, Link

_FOREVER = 0xFFFFFFFF


def router_links(router: Router) -> Iterator[Link]:
    yield Link("lo", alias=OURS)
    yield _veth(router, router.host.peer, (HOST, router.host.interface), "router")
    yield Link(router.uplink, mac=router.mac, mtu=router.mtu, altnames=router.altnames)


def host_link(router: Router) -> Link:
    return _veth(router, router.host.interface, (router.name, router.host.peer), "host")


def router_addresses(router: Router) -> Iterator[Address]:
    host = router.host
    yield from (_address(host.peer, i) for i in host.router_addresses)
    if family(router, 6):
        yield _address(host.peer, IPv6Interface((host.router_link_local, 64)))
    options = {each.interface: each for each in router.address_options}
    yield from (_public(router, i, options.get(i)) for i in router.addresses)


def host_addresses(router: Router) -> Iterator[Address]:
    host = router.host
    yield from (_address(host.interface, i) for i in host.addresses)
    if family(router, 6):
        yield _address(host.interface, IPv6Interface((host.link_local, 64)))


def _address(dev: str, interface: Interface) -> Address:
    """An address with all that the kernel gives one when nothing else is said (ip-address(8))."""
    if interface.version == 6:
        return Address(dev, interface, metric=0, nodad=True, lasting=True, learns=False, missing=())
    return Address(dev, interface, scope=0, label=dev, metric=0, lasting=True, missing=())


def _public(router: Router, interface: Interface, options: AddressOptions | None) -> Address:
    usual = _address(router.uplink, interface)
    if options is None:
        return usual
    valid, preferred = options.valid_lifetime, options.preferred_lifetime
    lifetime = (_FOREVER if valid is None else valid, _FOREVER if preferred is None else preferred)
    forever = lifetime == (_FOREVER, _FOREVER)
    return evolve(
        usual,
        noprefixroute=options.noprefixroute,
        nodad=options.nodad if interface.version == 6 else None,
        deprecated=preferred == 0,
        lasting=usual.lasting if forever else None,
        lifetime=None if forever else lifetime,
    )


def _veth(router: Router, name: str, peer: tuple[str, str], end: str) -> Link:
    given = router.host.mac if end == "host" else None
    mac = given or _mac(router, end)
    return Link(name, peer=peer, mac=mac, mtu=router.host.mtu, arp=True, multicast=True)


def _mac(router: Router, end: str) -> str:
    """A MAC of our own, the same at every apply.

    udev's MACAddressPolicy=persistent rewrites the random MAC of a new veth; a given one it leaves.
    """
    digest = sha256(f"nftnsr {router.name} {end}".encode()).digest()
    # 0x02: locally administered, unicast (IEEE 802, section 8.2).
    return ":".join(f"{byte:02x}" for byte in (0x02, *digest[:5]))
