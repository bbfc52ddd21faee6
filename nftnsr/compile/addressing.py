"""Links and addresses: the uplinks in the namespace, and its inner links, which are veth pairs."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from ipaddress import IPv6Interface

from attrs import evolve

from nftnsr.compile.families import family
from nftnsr.spec.model import AddressOptions, Inner, Interface, Router, Uplink
from nftnsr.state.model import HOST, OURS, Address, Link, Lower

_FOREVER = 0xFFFFFFFF


def router_links(router: Router) -> Iterator[Link]:
    yield Link("lo", alias=OURS)
    yield from (_router_end(router, link) for link in router.links)
    yield from (_uplink(router, uplink) for uplink in router.uplinks)


def _uplink(router: Router, uplink: Uplink) -> Link:
    moved = Link(uplink.dev, mac=uplink.mac, mtu=uplink.mtu, altnames=uplink.altnames)
    made = uplink.made
    if made is None:
        return moved
    mac, altnames = uplink_mac(router, uplink), uplink.altnames or ()
    if made.kind == "veth":
        return evolve(moved, peer=(HOST, uplink.dev), mac=mac, altnames=altnames)
    assert made.parent is not None
    lower = Lower(made.kind, made.parent, made.mode, made.id)
    return evolve(moved, lower=lower, mac=mac, altnames=altnames)


def uplink_mac(router: Router, uplink: Uplink) -> str | None:
    """The uplink's MAC; None where it has its own, or that of its parent."""
    made = uplink.made
    if uplink.mac is not None or made is None or made.kind in ("ipvlan", "vlan"):
        return uplink.mac
    return _mac(router, f"uplink {uplink.dev}")


def bridged_links(router: Router) -> Iterator[Link]:
    """The other ends of uplinks that are veths, in a bridge of the host."""
    for uplink in router.uplinks:
        if uplink.made is not None and uplink.made.bridge is not None:
            mac, peer = _mac(router, f"bridge {uplink.dev}"), (router.name, uplink.dev)
            master = ("bridge", uplink.made.bridge)
            yield Link(uplink.dev, peer=peer, mac=mac, mtu=uplink.mtu, master=master)


def far_end(router: Router, link: Inner) -> Link:
    mac = link.mac or _mac(router, _word(link, "far"))
    return _veth(link, link.interface, (router.name, link.peer), mac)


def _router_end(router: Router, link: Inner) -> Link:
    far = (HOST if link.namespace is None else link.namespace, link.interface)
    return _veth(link, link.peer, far, _mac(router, _word(link, "router")))


def router_addresses(router: Router) -> Iterator[Address]:
    for link in router.links:
        yield from (_address(link.peer, i) for i in link.router_addresses)
        if family(router, 6):
            yield _address(link.peer, IPv6Interface((link.router_link_local, 64)))
    for uplink in router.uplinks:
        options = {each.interface: each for each in uplink.address_options}
        yield from (_public(uplink, i, options.get(i)) for i in uplink.addresses)


def far_addresses(router: Router, link: Inner) -> Iterator[Address]:
    yield from (_address(link.interface, i) for i in link.addresses)
    if family(router, 6):
        yield _address(link.interface, IPv6Interface((link.link_local, 64)))


def _address(dev: str, interface: Interface) -> Address:
    """An address with all that the kernel gives one when nothing else is said (ip-address(8))."""
    if interface.version == 6:
        return Address(dev, interface, metric=0, nodad=True, lasting=True, learns=False, missing=())
    return Address(dev, interface, scope=0, label=dev, metric=0, lasting=True, missing=())


def _public(uplink: Uplink, interface: Interface, options: AddressOptions | None) -> Address:
    usual = _address(uplink.dev, interface)
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


def _veth(link: Inner, name: str, peer: tuple[str, str], mac: str) -> Link:
    return Link(name, peer=peer, mac=mac, mtu=link.mtu, arp=True, multicast=True)


def _word(link: Inner, end: str) -> str:
    """What tells the end of an inner link from others in the making of its MAC."""
    if link.name == "host":
        return "host" if end == "far" else end
    return f"{end} {link.name}"


def _mac(router: Router, end: str) -> str:
    """A MAC of our own, the same at every apply.

    udev's MACAddressPolicy=persistent rewrites the random MAC of a new veth; a given one it leaves.
    """
    digest = sha256(f"nftnsr {router.name} {end}".encode()).digest()
    # 0x02: locally administered, unicast (IEEE 802, section 8.2).
    return ":".join(f"{byte:02x}" for byte in (0x02, *digest[:5]))
