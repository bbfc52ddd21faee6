"""All that this host is made of, as far as packets see it: read, and nothing touched; no root."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from nftnsr.kernel import sysctl
from nftnsr.kernel.messages import kept_by_kernel, link
from nftnsr.kernel.rtnetlink import Rtnetlink
from nftnsr.kernel.survey import OF_THE_KERNEL
from nftnsr.state.model import Item, Link, Namespace, Sysctl

_KINDS = ("conf", "neigh")
_NOT_READ = ("flush", "tcp_fastopen_key", "stable_secret")


def portrait() -> Namespace:
    """Links, addresses, routes, neighbours, rules and settings of the caller's namespace.

    What the kernel brings along by itself (its link-local addresses, the routes that come with an
    address) is left out.
    """
    rtnetlink = Rtnetlink()
    try:
        items = tuple(_items(rtnetlink))
    finally:
        rtnetlink.close()
    devs = [i.name for i in items if isinstance(i, Link)]
    return Namespace((*items, *_settings(), *(s for dev in devs for s in sysctl.read_link(dev))))


def _items(rtnetlink: Rtnetlink) -> Iterator[Item]:
    messages = rtnetlink.links()
    by_index = {m["index"]: m for m in messages.values()}
    for name, message in messages.items():
        if name not in OF_THE_KERNEL:
            yield link(message, name, None, by_index.get(message.get("master")))
    names = {index: m.get("ifname") for index, m in by_index.items()}
    own = tuple(rtnetlink.addresses(names))
    addresses = tuple(a for a in own if not (a.by_kernel or a.interface.ip.is_loopback))
    yield from addresses
    yield from (r for r in rtnetlink.routes(names) if not kept_by_kernel(r, addresses))
    yield from rtnetlink.neighbours(names)
    yield from (r for r in rtnetlink.rules() if not r.by_kernel)


def _settings() -> Iterator[Sysctl]:
    """Those that are of no link; the ones that change others by the way come first."""
    paths = ["net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"]
    for family in ("net/ipv4", "net/ipv6"):
        places = (family, *(f"{family}/{k}/{of}" for k in _KINDS for of in ("all", "default")))
        paths += [path for place in places for path in _files(place)]
    return sysctl.read(dict.fromkeys(paths))


def _files(place: str) -> Iterator[str]:
    directory: Path = sysctl.ROOT / place
    found = sorted(directory.iterdir()) if directory.is_dir() else ()
    for path in found:
        if path.is_file() and path.name not in _NOT_READ:
            yield f"{place}/{path.name}"
