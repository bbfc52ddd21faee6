"""A TOML table while it is read: it hands out values and notes what is wrong with them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any, TypeVar

from .draft import At, Many
from .keys import Key, Kind
from .problems import Fault, Path
from .values import Unreadable
from .words import header, kind_of, number, quoted

T = TypeVar("T")


class Table:
    """Strict: a value of another type than the key's is a fault, never converted.

    `settings` collects what is written of the keys that have a default, by the model's name.
    """

    def __init__(
        self,
        raw: dict[str, Any],
        path: Path,
        keys: dict[str, Key],
        faults: list[Fault],
        elsewhere: Iterable[tuple[Collection[str], str]] = (),
    ) -> None:
        self.path = path
        self.settings: dict[str, Any] = {}
        self._raw = raw
        self._keys = keys
        self._faults = faults
        self._meant: set[str] = set()
        for key in raw.keys() - keys.keys():
            self._unknown(key, elsewhere)

    def fault(self, key: str, message: str, hint: str | None = None, on_key: bool = False) -> None:
        self._faults.append(Fault((*self.path, key), message, hint, on_key=on_key))

    def fault_at(
        self, path: Path, message: str, hint: str | None = None, on_key: bool = False
    ) -> None:
        """A fault of something within one of the values."""
        self._faults.append(Fault(path, message, hint, on_key=on_key))

    def flaws(self, path: Path, error: Unreadable) -> None:
        for flaw in error.flaws:
            whole = flaw.start is None or flaw.end is None
            part = None if whole else (flaw.start or 0, flaw.end or 0)
            self._faults.append(Fault(path, flaw.message, flaw.hint, part))

    def _unknown(self, key: str, elsewhere: Iterable[tuple[Collection[str], str]]) -> None:
        missing = [name for name in self._keys if name not in self._raw]
        near = nearest(key, missing)
        home = next((where for keys, where in elsewhere if key in keys), None)
        if home is not None:
            hint = f"{quoted(key)} belongs in {home}"
        elif near is not None:
            self._meant.add(near)
            hint = f"did you mean {quoted(near)}?"
        else:
            hint = "the keys here are " + ", ".join(self._keys)
        self.fault(key, f"unknown key {quoted(key)}", hint, on_key=True)

    def get(self, key: str) -> Any:
        """The raw value, or None when the key is not written; a required key is then a fault."""
        value = self._raw.get(key)
        # A misspelt key has been reported with the name that was meant.
        if value is None and self._keys[key].required and key not in self._meant:
            if self._keys[key].kind is Kind.HOST:
                wanted = header((*self.path[1:], key))
                self.fault(key, f"the table {wanted} is missing", f"add {wanted}", on_key=True)
            else:
                hint = f"add {self._keys[key].line}"
                self.fault(key, f"`{key}` is missing", hint, on_key=True)
        return value

    def is_array(self, key: str) -> bool:
        return isinstance(self._raw.get(key), list)

    def is_table(self, key: str) -> bool:
        """Whether it is one, or is not written."""
        return isinstance(self._raw.get(key, {}), dict)

    def _mistyped(self, key: str, wanted: str, value: object, hint: str | None = None) -> None:
        message = f"`{key}` must be {wanted}, not {kind_of(value)}"
        self.fault(key, message, hint or f"write {self._keys[key].line}")

    def text(self, key: str, parse: Callable[[str], T], wanted: str = "a string") -> At[T] | None:
        value = self.get(key)
        if value is None:
            return None
        if not isinstance(value, str):
            self._mistyped(key, wanted, value)
            return None
        return self.scalar(key, parse)

    def scalar(self, key: str, parse: Callable[[Any], T]) -> At[T] | None:
        """A value of more than one type, of which `parse` knows all."""
        value = self.get(key)
        if value is None:
            return None
        path = (*self.path, key)
        try:
            return At(path, parse(value))
        except Unreadable as error:
            self.flaws(path, error)
            return None

    def setting(self, key: str, parse: Callable[[str], T], default: T) -> At[T] | None:
        """A string that the model has a default for; None only when it is faulty."""
        if key not in self._raw:
            return At((*self.path, key), default)
        found = self.text(key, parse)
        if found is not None:
            self.settings[self._keys[key].attribute] = found.value
        return found

    def texts(self, key: str, parse: Callable[[str], T]) -> Many[T]:
        def element(value: object, path: Path) -> T | None:
            if not isinstance(value, str):
                message = f"an element of `{key}` must be a string, not {kind_of(value)}"
                self._faults.append(Fault(path, message, f"write {self._keys[key].line}"))
                return None
            return parse(value)

        return self.array(key, element, "an array of strings")

    def one_or_more(self, key: str, parse: Callable[[str], T]) -> Many[T]:
        """A string, or an array of at least one."""
        value = self.get(key)
        if isinstance(value, str):
            found = self.text(key, parse)
            return Many(() if found is None else (found,), whole=found is not None)
        if value == []:
            self.fault(key, f"`{key}` is empty", f"leave it out, or write {self._keys[key].line}")
            return Many(whole=False)
        if value is None or isinstance(value, list):
            return self.texts(key, parse)
        self._mistyped(key, "a string or an array of strings", value)
        return Many(whole=False)

    def array(self, key: str, element: Callable[[Any, Path], T | None], wanted: str) -> Many[T]:
        """Each element by `element`, which returns None when it has noted the faults itself."""
        values = self.get(key)
        if values is None:
            return Many(whole=not self._keys[key].required and key not in self._meant)
        if not isinstance(values, list):
            hint = f"write {key} = [{quoted(values)}]" if isinstance(values, str) else None
            self._mistyped(key, wanted, values, hint)
            return Many(whole=False)
        if not values and self._keys[key].required:
            self.fault(key, f"`{key}` is empty", f"write {self._keys[key].line}")
            return Many(whole=False)
        items = []
        base = (*self.path, key)
        for index, value in enumerate(values):
            path = (*base, index)
            try:
                found = element(value, path)
            except Unreadable as error:
                self.flaws(path, error)
                continue
            if found is not None:
                items.append(At(path, found))
        return Many(tuple(items), whole=len(items) == len(values))

    def flag(self, key: str) -> bool | None:
        """A flag that is true unless it is written; None only when it is faulty."""
        value = self.get(key)
        if isinstance(value, bool):
            self.settings[self._keys[key].attribute] = value
            return value
        if value is None:
            return True
        hint = f"write {key} = {value.lower()}" if _is_boolean_word(value) else None
        self._mistyped(key, "true or false", value, hint)
        return None

    def number(self, key: str, last: int, first: int = 0) -> None:
        value = self.get(key)
        if value is None:
            return
        if isinstance(value, bool) or not isinstance(value, int):
            self._mistyped(key, "an integer", value)
        elif not first <= value <= last:
            self.fault(key, f"{key} {number(value)} is not in {first}-{last}")
        else:
            self.settings[self._keys[key].attribute] = value

    def table(self, key: str) -> dict[str, Any] | None:
        value = self.get(key)
        if value is None or isinstance(value, dict):
            return value
        self._mistyped(key, "a table", value)
        return None


def _is_boolean_word(value: object) -> bool:
    return isinstance(value, str) and value.lower() in ("true", "false")


def nearest(word: str, words: Collection[str]) -> str | None:
    # Only a misspelt key needs difflib, and it takes milliseconds to import.
    from difflib import get_close_matches

    return next(iter(get_close_matches(word, words, 1, 0.7)), None)
