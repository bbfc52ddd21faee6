"""A router as it was read: its values with their paths, and without what could not be read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv6Address
from typing import Any, Generic, TypeVar

from attrs import frozen

from .model import (
    FIRST_TABLE,
    Address,
    AddressOptions,
    Blocklist,
    Egress,
    Filter,
    Forward,
    Helper,
    Inner,
    Interface,
    MadeUplink,
    Network,
    OneToOne,
    PrefixPair,
    Router,
    RoutingRule,
    Service,
    Setting,
    SourceNat,
    StaticNeighbour,
    StaticRoute,
    Uplink,
)
from .problems import Path
from .words import quoted

T = TypeVar("T", covariant=True)


@frozen
class At(Generic[T]):
    """A value and the path that it was read from."""

    path: Path
    value: T


@frozen
class Many(Generic[T]):
    """The readable elements of an array; when it is not `whole`, nobody knows what is missing."""

    items: tuple[At[T], ...] = ()
    whole: bool = True

    def __iter__(self) -> Iterator[At[T]]:
        return iter(self.items)

    @property
    def values(self) -> tuple[T, ...]:
        return tuple(item.value for item in self.items)


@frozen
class InnerDraft:
    path: Path
    name: str
    namespace: At[str | None] | None  # of None: the host; None: it could not be read
    interface: At[str] | None
    peer: At[str] | None  # the router's end
    addresses: Many[Interface]
    router_addresses: Many[Interface]
    networks: Many[Network]
    link_local: At[IPv6Address] | None
    router_link_local: At[IPv6Address] | None
    default_route: bool | None
    settings: Mapping[str, Any]  # what is written of the keys that the model has defaults for

    @property
    def far(self) -> str:
        """Where the far end is, in words."""
        name = None if self.namespace is None else self.namespace.value
        return "the host" if name is None else f"namespace {quoted(name)}"

    @property
    def whose(self) -> str:
        """As in `the host's end`."""
        return f"{self.far}'s"

    @property
    def noun(self) -> str:
        """As in `host address`."""
        return "host" if self.far == "the host" else "far"

    def finished(self) -> Inner:
        assert self.interface is not None
        return Inner(
            name=self.name,
            interface=self.interface.value,
            addresses=self.addresses.values,
            router_addresses=self.router_addresses.values,
            networks=self.networks.values,
            **self.settings,
        )


@frozen
class FilterDraft:
    path: Path
    input: Many[Service] | None  # None: the key is not written
    egress: Many[Egress]
    inbound: Many[Network]
    blocklists: Many[Blocklist]
    settings: Mapping[str, Any]

    def finished(self) -> Filter:
        return Filter(
            input=None if self.input is None else self.input.values,
            egress=self.egress.values,
            inbound=self.inbound.values,
            blocklists=tuple(sorted(self.blocklists.values, key=lambda b: b.name)),
            **self.settings,
        )


@frozen
class UplinkDraft:
    path: Path
    dev: At[str] | None
    made: MadeUplink | None
    addresses: Many[Interface]
    address_options: Sequence[At[AddressOptions]]
    altnames: Many[str]
    gateways: Many[Address]
    settings: Mapping[str, Any]
    name: str = ""
    metric: At[int] | None = None  # of a further one
    mark: At[int] | None = None
    networks: Many[Network] = Many()

    @property
    def table(self) -> int:
        """As Uplink.table has it."""
        return FIRST_TABLE + (0 if self.metric is None else self.metric.value)

    @property
    def numbered(self) -> Path:
        """Where the table's number comes from."""
        return self.path if self.metric is None else self.metric.path

    def reaches(self, address: Address) -> bool:
        """Whether a prefix of its own link has `address`."""
        return any(address in item.value.network for item in self.addresses)

    def finished(self) -> Uplink:
        assert self.dev is not None
        further: dict[str, Any] = {}
        if self.metric is not None and self.mark is not None:
            further = {"metric": self.metric.value, "mark": self.mark.value}
        return Uplink(
            name=self.name,
            networks=self.networks.values,
            **further,
            dev=self.dev.value,
            addresses=self.addresses.values,
            gateways=self.gateways.values,
            address_options=tuple(item.value for item in self.address_options),
            made=self.made,
            **self.settings,
        )


@frozen
class RouterDraft:
    path: Path
    name: str
    uplinks: tuple[UplinkDraft, ...]  # that of the router's own table first
    forward: Many[Forward]
    one_to_one: Many[OneToOne]
    prefix_translation: Many[PrefixPair]
    snat: Many[SourceNat]
    no_nat: Many[Network]
    helpers: Many[Helper]
    routes: Many[StaticRoute]
    rules: Many[RoutingRule]
    neighbours: Many[StaticNeighbour]
    sysctls: Many[Setting]
    host: InnerDraft | None  # None: there is no such table, and that has been reported
    inner: Many[InnerDraft]
    filter: FilterDraft
    settings: Mapping[str, Any]

    @property
    def addresses(self) -> Many[Interface]:
        """Those of all uplinks."""
        items = tuple(item for uplink in self.uplinks for item in uplink.addresses)
        return Many(items, whole=all(uplink.addresses.whole for uplink in self.uplinks))

    @property
    def links(self) -> tuple[InnerDraft, ...]:
        """The inner links that could be read, the host's first."""
        first = () if self.host is None else (self.host,)
        return (*first, *self.inner.values)

    @property
    def links_whole(self) -> bool:
        return self.host is not None and self.inner.whole

    def finished(self) -> Router:
        assert self.host is not None
        uplinks = (uplink.finished() for uplink in self.uplinks)
        return Router(
            name=self.name,
            uplinks=tuple(sorted(uplinks, key=lambda uplink: uplink.metric)),
            forward=self.forward.values,
            one_to_one=self.one_to_one.values,
            prefix_translation=self.prefix_translation.values,
            snat=self.snat.values,
            no_nat=self.no_nat.values,
            helpers=tuple(sorted(self.helpers.values)),
            routes=self.routes.values,
            rules=self.rules.values,
            neighbours=self.neighbours.values,
            sysctls=tuple(sorted(self.sysctls.values, key=lambda setting: setting.path)),
            host=self.host.finished(),
            inner=tuple(sorted((i.finished() for i in self.inner.values), key=lambda i: i.name)),
            filter=self.filter.finished(),
            **self.settings,
        )
