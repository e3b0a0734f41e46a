"""A mapping that pages of lists are cut from."""

from __future__ import annotations

from bisect import bisect_left
from bisect import bisect_right
from bisect import insort
from collections.abc import ItemsView
from collections.abc import Iterator
from collections.abc import MutableMapping
from collections.abc import ValuesView
from typing import TypeVar

Value = TypeVar("Value")


class Ordered(MutableMapping[str, Value]):
    """Values by name, in the order of their creation; and, from any name on, in that of names,
    where each step costs the same however many there are.
    """

    def __init__(self) -> None:
        self._all: dict[str, Value] = {}
        self._names: list[str] = []

    def names_from(self, name: str | None, *, reverse: bool = False) -> Iterator[str]:
        """Names in their order, from this one on, whether or not it is there; None: all of them."""
        names = self._names
        if reverse:
            begin = len(names) if name is None else bisect_right(names, name)
            return (names[place] for place in range(begin - 1, -1, -1))
        begin = 0 if name is None else bisect_left(names, name)
        return (names[place] for place in range(begin, len(names)))

    def after(self, name: str | None) -> Iterator[Value]:
        """Values in the order of their names, those behind this one; None: all of them."""
        return (self._all[other] for other in self.names_from(name) if other != name)

    def __getitem__(self, name: str) -> Value:
        return self._all[name]

    def __setitem__(self, name: str, value: Value) -> None:
        if name not in self._all:
            insort(self._names, name)
        self._all[name] = value

    def __delitem__(self, name: str) -> None:
        del self._all[name]
        del self._names[bisect_left(self._names, name)]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all)

    def __contains__(self, name: object) -> bool:
        return name in self._all

    def __len__(self) -> int:
        return len(self._all)

    def values(self) -> ValuesView[Value]:
        return self._all.values()

    def items(self) -> ItemsView[str, Value]:
        return self._all.items()
