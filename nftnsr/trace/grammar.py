"""Rules as text -> what they say: a grammar of the statements that the compiler uses (nft(8)).

A new statement is a line in `_STATEMENTS`, a new expression one in fields.py; a test reads every
rule of every spec in rulesets/ and of random ones, so that none is forgotten.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from ipaddress import ip_address

from attrs import frozen

from nftnsr.trace.fields import FIELDS, Field, Hashed, InTurn, Key
from nftnsr.trace.values import Elements

_WORD = re.compile(r'"[^"]*"|[{},]|[^\s{},"]+')
_MOST_WORDS = max(len(name.split()) for name in FIELDS)


class Unreadable(Exception):
    """A rule that the grammar does not know."""

    def __init__(self, rule: str) -> None:
        super().__init__(f"nftnsr does not know what this rule does: {rule}")


@frozen
class Match:
    """`KEY VALUE`, `KEY != VALUE`, `KEY { ... }`, `KEY @set`: else the rule ends here."""

    key: Key
    among: Elements | str
    """Or the name of a set."""
    negated: bool = False


@frozen
class NoWayBack:
    """`fib saddr . iif oif missing`: the source is not routed by where the packet came in."""


@frozen
class Opening:
    """`tcp flags ...`: whether it is a SYN, or with `first` unset one of the later packets."""

    first: bool


@frozen
class Untracked:
    """`notrack`: connection tracking never hears of it."""


@frozen
class Cookie:
    """`synproxy`: it is answered with a cookie, and goes no further."""


@frozen
class Verdict:
    """`accept`, `drop`, or another chain; one that is called by `jump` comes back."""

    word: str
    chain: str | None = None


@frozen
class VerdictMap:
    """`KEY vmap ...`: the verdict that the key leads to; if to none, the rule ends here."""

    key: Key
    among: Elements | str


@frozen
class Translation:
    """`dnat`, `snat` or `masquerade`; `to` is a map that the key is looked up in, or one value."""

    word: str
    key: Key = ()
    to: str | None = None
    prefix: bool = False
    how: frozenset[str] = frozenset()


@frozen
class Lookup:
    """`KEY map ...`: if the key is not there, the rule ends."""

    key: Key
    among: Elements | str


@frozen
class Marking:
    """`meta mark set ...`, `ct mark set ...`: to a value, to what another expression is, or to what
    a map leads to."""

    name: str
    to: int | Field | Lookup


@frozen
class Limit:
    """`limit rate`: so much goes on in this rule, or with `over` only what is more than that."""

    rate: str
    over: bool


@frozen
class Remark:
    """What changes nothing of where a packet goes, in words."""

    words: str


Statement = (
    Match | NoWayBack | Opening | Untracked | Cookie | Verdict | VerdictMap | Translation | Marking
    | Limit | Remark
)  # fmt: skip


@lru_cache(maxsize=4096)
def read(rule: str) -> tuple[Statement, ...]:
    """What a rule says, in its order."""
    return tuple(_Reader(rule).statements())


class _Reader:
    """The words of one rule, and how far it has been read."""

    def __init__(self, rule: str) -> None:
        self._rule = rule
        self._words: list[str] = _WORD.findall(rule)
        self._at = 0

    def statements(self) -> Iterator[Statement]:
        while self._at < len(self._words):
            begins = (w for w in _STATEMENTS if self._taken(w))
            if (words := next(begins, None)) is not None:
                yield _STATEMENTS[words](self)
            else:
                yield self._match()

    # -- words --

    def next(self) -> str:
        if self._at == len(self._words):
            raise Unreadable(self._rule)
        self._at += 1
        return self._words[self._at - 1]

    def _taken(self, words: str) -> bool:
        """Whether these words come next; if so, they are read."""
        wanted = words.split()
        if self._words[self._at : self._at + len(wanted)] != wanted:
            return False
        self._at += len(wanted)
        return True

    def _expect(self, words: str) -> None:
        if not self._taken(words):
            raise Unreadable(self._rule)

    def _list(self) -> tuple[str, ...]:
        """`a,b`, as it is written behind what it is said of."""
        found = [self.next()]
        while self._taken(","):
            found.append(self.next())
        return tuple(found)

    # -- expressions --

    def field(self) -> Field:
        for count in range(_MOST_WORDS, 0, -1):
            name = " ".join(self._words[self._at : self._at + count])
            if name in FIELDS and self._taken(name):
                mask = ip_address(self.next()) if self._taken("&") else None
                return Field(name, mask)
        raise Unreadable(self._rule)

    def key(self) -> Key:
        if self._taken("numgen inc mod"):
            return (InTurn(int(self.next())),)
        if self._taken("jhash"):
            field = self.field()
            self._expect("mod")
            modulus = int(self.next())
            self._expect("seed")
            return (Hashed(field, modulus, int(self.next(), 0)),)
        parts = [self.field()]
        while self._taken("."):
            parts.append(self.field())
        return tuple(parts)

    def among(self) -> Elements | str:
        if self._taken("{"):
            return Elements(tuple(self._elements()))
        word = self.next()
        return word[1:] if word.startswith("@") else Elements((word,))

    def _elements(self) -> Iterator[str]:
        words: list[str] = []
        while (word := self.next()) not in "},":
            words.append(word)
        if words:
            yield " ".join(words)
        if word == ",":
            yield from self._elements()

    # -- statements --

    def _match(self) -> Statement:
        key = self.key()
        if self._taken("vmap"):
            return VerdictMap(key, self.among())
        negated = self._taken("!=")
        among = self.among()
        if isinstance(among, Elements) and self._taken(","):
            among = Elements((*among.texts, *self._list()))
        return Match(key, among, negated)

    def chain(self, word: str) -> Statement:
        return Verdict(word, self.next())

    def translation(self, word: str) -> Statement:
        self._taken("ip") or self._taken("ip6")
        prefix = self._taken("prefix")
        if not self._taken("to"):
            return Translation(word, how=self._how())
        key = self.key() if self._begins_a_field() else ()
        if key:
            self._expect("map")
        to = self.next().removeprefix("@")
        return Translation(word, key, to, prefix, self._how())

    def _begins_a_field(self) -> bool:
        starts = (" ".join(self._words[self._at : self._at + n]) for n in range(1, _MOST_WORDS + 1))
        return any(words in FIELDS for words in starts)

    def _how(self) -> frozenset[str]:
        flags = {"random", "fully-random", "persistent"}
        here = self._at < len(self._words) and self._words[self._at] in flags
        return frozenset(self._list()) if here else frozenset()

    def limit(self) -> Statement:
        over = self._taken("over")
        rate = self.next()
        if self._taken("burst"):
            rate += f" burst {self.next()}"
            self._expect("packets")
        return Limit(rate, over)

    def bucket(self) -> Statement:
        """`update @set { KEY limit ... }`: a limit for each value of the key."""
        self.next()
        self._expect("{")
        self.key()
        self._expect("limit rate")
        limit = self.limit()
        self._expect("}")
        return limit

    def marking(self, name: str) -> Statement:
        if not self._begins_a_field():
            return Marking(name, int(self.next(), 0))
        key = self.key()
        if self._taken("map"):
            return Marking(name, Lookup(key, self.among()))
        (field,) = key
        assert isinstance(field, Field)
        return Marking(name, field)

    def log(self) -> Statement:
        prefix = f" as {self.next()}" if self._taken("prefix") else ""
        group = f" to group {self.next()}" if self._taken("group") else ""
        return Remark(f"logged{prefix}{group}")

    def helper(self) -> Statement:
        return Remark(f"connections that it announces are let through, helper {self.next()}")

    def cookie(self) -> Statement:
        for word in ("mss", "wscale"):
            self._expect(word)
            self.next()
        self._expect("timestamp sack-perm")
        return Cookie()

    def segment_size(self) -> Statement:
        size = "the route's MTU allows" if self._taken("rt mtu") else self.next()
        return Remark(f"TCP's segments shall not be larger than {size}")


_STATEMENTS: Mapping[str, Callable[[_Reader], Statement]] = {
    "accept": lambda _: Verdict("accept"),
    "drop": lambda _: Verdict("drop"),
    "return": lambda _: Verdict("return"),
    "goto": lambda r: r.chain("goto"),
    "jump": lambda r: r.chain("jump"),
    "dnat": lambda r: r.translation("dnat"),
    "snat": lambda r: r.translation("snat"),
    "masquerade": lambda r: r.translation("masquerade"),
    "limit rate": lambda r: r.limit(),
    "update": lambda r: r.bucket(),
    "log": lambda r: r.log(),
    "meta mark set": lambda r: r.marking("meta mark"),
    "ct mark set": lambda r: r.marking("ct mark"),
    "ct helper set": lambda r: r.helper(),
    "tcp option maxseg size set": lambda r: r.segment_size(),
    "fib saddr . iif oif missing": lambda _: NoWayBack(),
    "tcp flags & (fin | syn | rst | ack) == syn": lambda _: Opening(first=True),
    "tcp flags & (syn | ack) == ack": lambda _: Opening(first=False),
    "notrack": lambda _: Untracked(),
    "synproxy": lambda r: r.cookie(),
    "reset tcp option timestamp": lambda _: Remark("its timestamp is taken out"),
}
