"""A packet in the chains of one hook: which rules apply to it, and what they do (nft(8))."""

from __future__ import annotations

from typing import Literal, assert_never

from attrs import define, evolve, field

from nftnsr.state.model import Chain
from nftnsr.trace.fib import Fib
from nftnsr.trace.fields import Field, Hashed, InTurn, Key
from nftnsr.trace.grammar import (
    Cookie,
    Limit,
    Lookup,
    Marking,
    Match,
    NoWayBack,
    Opening,
    Remark,
    Statement,
    Translation,
    Untracked,
    Verdict,
    VerdictMap,
    read,
)
from nftnsr.trace.packet import Packet
from nftnsr.trace.sources import Sources
from nftnsr.trace.step import Stage, Step
from nftnsr.trace.tables import NAT_PRIORITIES, Base, Hook, Tables
from nftnsr.trace.translate import with_destination, with_source
from nftnsr.trace.values import Element, Elements, Value

Fate = Literal["accept", "drop"]


@define
class Walk:
    """A packet, as it is by now, and what has happened to it."""

    tables: Tables
    fib: Fib
    sources: Sources
    packet: Packet
    turn: int = 0
    """Whose turn it is where servers take turns, which nobody can know before."""
    turns: int = 1
    """How many take turns there."""
    proxied: bool = False
    """Whether the router has answered it in the server's place."""
    translated_at: Stage | None = None
    """The last hook at which a rule translated it."""
    steps: list[Step] = field(factory=list)

    def hook(self, hook: Hook) -> Fate:
        """The base chains of a hook; the first that drops ends it."""
        bases = self.tables.at(hook, self.packet.version)
        early = [base for base in bases if base.priority <= NAT_PRIORITIES.get(hook, 0)]
        for base in early:
            if self._base(base) == "drop":
                return "drop"
        self._translate_back(hook)
        late = bases[len(early) :]
        return "drop" if any(self._base(base) == "drop" for base in late) else "accept"

    def _base(self, base: Base) -> Fate:
        # Of several nat chains the first that translates decides; of what belongs to a connection
        # that is known none is asked.
        asked = self.tables.tracked and self.packet.connection.state == "new"
        if base.kind == "nat" and (not asked or self.translated_at == base.hook):
            return "accept"
        fate = self._chain(base.chain, base.hook)
        if fate is None and base.policy == "drop":
            self.steps.append(dropped_by_policy(base))
        return fate or base.policy

    def _translate_back(self, hook: Hook) -> None:
        """An answer gets the ends that the asker knows: connection tracking remembers them."""
        packet = self.packet
        known = packet.connection
        if packet.answer and hook == "prerouting" and known.snat:
            self.packet = evolve(packet, destination=known.source)
            self.steps.append(Step(hook, f"the destination becomes {known.source} again"))
        if packet.answer and hook == "postrouting" and known.dnat:
            self.packet = evolve(packet, source=known.destination)
            self.steps.append(Step(hook, f"the source becomes {known.destination} again"))

    def _chain(self, chain: Chain, stage: Stage) -> Fate | None:
        """What a chain, and those to which it leads, say; None if nothing."""
        for text in chain.rules:
            verdict = _Rule(self, chain, text, stage).apply()
            match verdict:
                case None:
                    continue
                case Verdict("accept" | "drop" as word):
                    return word
                case Verdict("jump", str() as name):
                    if fate := self._chain(self.tables.chain(chain.table, name), stage):
                        return fate
                case Verdict("goto", str() as name):
                    return self._chain(self.tables.chain(chain.table, name), stage)
                case _:
                    return None
        return None


@define
class _Rule:
    """One rule, for one packet."""

    walk: Walk
    chain: Chain
    text: str
    stage: Stage
    words: list[str] = field(factory=list)
    found: tuple[str, Element] | None = None
    """The element of a named set that was found last, and the set's name."""

    def apply(self) -> Verdict | None:
        """Do what it says, as far as it applies, and keep it as a step if that is anything."""
        result: Verdict | bool = True
        for statement in read(self.text):
            result = self._do(statement)
            if result is not True:
                break
        if result is True and not self.words and self.found is not None:
            self.words.append("counted")
        if self.words:
            words, applies = ", ".join(self.words), result is not False
            step = Step(self.stage, words, self.chain.name, self.text, applies)
            if self.found is not None:
                name, element = self.found
                step = evolve(step, set=name, element=element.text)
            self.walk.steps.append(step)
        return result if isinstance(result, Verdict) else None

    def _do(self, statement: Statement) -> Verdict | bool:
        """The verdict, or whether the rule goes on behind this statement."""
        match statement:
            case Match():
                return self._matches(statement)
            case NoWayBack():
                packet = self.walk.packet
                way = self.walk.fib.way_back(packet.source.address, packet.destination.address)
                return way.kind != "unicast" or way.dev != packet.iif
            case Opening(first):
                # A trace is of a first packet and of the answer to it, of none between the two.
                return first and self.walk.packet.protocol == "tcp" and not self.walk.packet.answer
            case Untracked():
                packet = self.walk.packet
                known = evolve(packet.connection, state="untracked")
                self.walk.packet = evolve(packet, connection=known)
                self.words.append("not tracked")
                return True
            case Cookie():
                self.walk.proxied = True
                self.words.append("answered with a cookie; who answers that is connected")
                return Verdict("drop")
            case Verdict():
                return self._says(statement)
            case VerdictMap(key, among):
                found = self._found(key, among)
                return found is not None and self._says(_verdict(found))
            case Translation():
                return self._translate(statement)
            case Marking():
                return self._mark(statement)
            case Limit(rate, over):
                # That nothing came before is all that can be assumed.
                self.words.append(f"within the limit of {rate}" if over else f"up to {rate}")
                return not over
            case Remark(words):
                self.words.append(words)
                return True
            case _:
                assert_never(statement)

    def _says(self, verdict: Verdict) -> Verdict:
        self.words.append(verdict_words(verdict.word, verdict.chain))
        return verdict

    def _matches(self, match: Match) -> bool:
        values = self._values(match.key)
        return values is not None and (self._find(match.among, values) is None) == match.negated

    def _translate(self, by: Translation) -> Verdict | bool:
        """Nobody says anything of a packet after that."""
        walk, to = self.walk, by.to
        if by.key:
            assert to is not None
            found = self._found(by.key, to)
            if found is None:
                return False
            to = found.value
        elif by.word == "masquerade":
            own = walk.sources.masquerading(walk.packet)
            if own is None:
                self.words.append(f"dropped: {walk.packet.oif} has no address")
                return Verdict("drop")
            to = str(own)
        assert to is not None
        change = with_destination if by.word == "dnat" else with_source
        walk.packet = change(walk.packet, by, to)
        self.words.append(translation_words(walk.packet, by))
        walk.translated_at = self.stage
        return Verdict("accept")

    def _mark(self, marking: Marking) -> bool:
        packet = self.walk.packet
        match marking.to:
            case Lookup(key, among):
                if (found := self._found(key, among)) is None:
                    return False
                assert found.value is not None
                number: Value | None = int(found.value, 0)
            case Field() as field:
                number = field.of(packet)
            case int() as number:
                pass
        assert isinstance(number, int)
        if marking.name == "meta mark":
            self.walk.packet = evolve(packet, mark=number)
        else:
            known = evolve(packet.connection, mark=number)
            self.walk.packet = evolve(packet, connection=known)
        self.words.append(f"{marking.name} becomes {number:#x}")
        return True

    def _values(self, key: Key) -> tuple[Value, ...] | None:
        """What the parts of a key are of this packet; None if it lacks any of them."""
        found = [self._value(part) for part in key]
        present = tuple(value for value in found if value is not None)
        return present if len(present) == len(found) else None

    def _value(self, part: Field | Hashed | InTurn) -> Value | None:
        if isinstance(part, InTurn):
            self.walk.turns = part.modulus
            return self.walk.turn
        return part.of(self.walk.packet)

    def _found(self, key: Key, among: Elements | str) -> Element | None:
        values = self._values(key)
        return None if values is None else self._find(among, values)

    def _find(self, among: Elements | str, values: tuple[Value, ...]) -> Element | None:
        if isinstance(among, Elements):
            return among.find(values)
        found = self.walk.tables.elements(self.chain.table, among).find(values)
        if found is not None:
            self.found = among, found
        return found


def _verdict(element: Element) -> Verdict:
    assert element.value is not None
    word, _, chain = element.value.partition(" ")
    return Verdict(word, chain or None)


def dropped_by_policy(base: Base) -> Step:
    words = f"dropped: no rule of chain {base.chain.name} accepts it"
    return Step(base.hook, words, base.chain.name, base.chain.hook)


def verdict_words(word: str, chain: str | None) -> str:
    match word:
        case "accept":
            return "accepted"
        case "drop":
            return "dropped"
        case "return":
            return "back to where it came from"
        case _:
            return f"goes on in chain {chain}"


def translation_words(packet: Packet, by: Translation) -> str:
    """What has happened to `packet`."""
    if by.word == "dnat":
        return f"the destination becomes {packet.destination}"
    return f"the source becomes {packet.source}"
