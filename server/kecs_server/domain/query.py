"""The cluster query language: expressions over container instances (ecs-facts 11.5).

`parse` makes a test of an expression; what it asks an instance is in `Queried`.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from datetime import datetime
from typing import Any
from typing import NoReturn

MAX_DEPTH = 50
"""Expressions within expressions."""


class QueryError(ValueError):
    """The text is no expression; says where and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Queried:
    """What an expression can ask of a container instance. `groups`: of its tasks."""

    attributes: Mapping[str, str | None]
    agent_connected: bool
    agent_version: str | None
    ec2_instance_id: str | None
    registered_at: float
    running_tasks: int
    groups: Collection[str]


Test = Callable[[Queried], bool]

_NAMES = {
    "==": "equals",
    "!=": "not_equals",
    ">": "greater_than",
    ">=": "greater_than_equal",
    "<": "less_than",
    "<=": "less_than_equal",
    "!exists": "not_exists",
    "!in": "not_in",
    "=~": "matches",
    "!~": "not_matches",
}
_ORDER: Mapping[str, Callable[[Any, Any], bool]] = {
    "equals": operator.eq,
    "not_equals": operator.ne,
    "greater_than": operator.gt,
    "greater_than_equal": operator.ge,
    "less_than": operator.lt,
    "less_than_equal": operator.le,
}
_EQUALITY = frozenset({"equals", "not_equals"})
_LISTS = frozenset({"in", "not_in"})
_PATTERNS = frozenset({"matches", "not_matches"})
_EXISTENCE = frozenset({"exists", "not_exists"})
_ALL = frozenset({*_ORDER, *_LISTS, *_PATTERNS, *_EXISTENCE})
_NEGATIVE = {"not_equals": "equals", "not_in": "in", "not_matches": "matches"}

_OPERATORS = {
    "agentConnected": _EQUALITY | _LISTS | _PATTERNS,
    "agentVersion": frozenset(_ORDER),
    "ec2InstanceId": _EQUALITY | _LISTS | _PATTERNS,
    "registeredAt": frozenset(_ORDER),
    "runningTasksCount": frozenset(_ORDER),
    "task:group": _ALL,
}
"""The operators of each subject; an attribute has all."""

_SYMBOL = re.compile(r"!exists\b|!in\b|==|!=|>=|<=|=~|!~|>|<|[a-z_]+")
_SUBJECT = re.compile(r"[A-Za-z][\w.:/\\-]*")
_QUOTED = re.compile(r"'([^']*)'|\"([^\"]*)\"")
_LITERAL = re.compile(r"(?:(?!&&|\|\|)[^\s()\[\],])+")
_PATTERN = re.compile(r"(?:(?!&&|\|\|)[^\s()]|\((?:[^()]|\([^()]*\))*\))+")
"""A regular expression may have brackets, and parentheses that are closed again."""

_AND = re.compile(r"&&|and\b")
_OR = re.compile(r"\|\||or\b")
_NOT = re.compile(r"!|not\b")
_VERSION = re.compile(r"v?(\d+(?:\.\d+)*)")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


def parse(text: str) -> Test:
    """:raises QueryError: the text is not an expression."""
    parser = _Parser(text)
    test = parser.alternatives(0)
    parser.end()
    return test


class _Parser:
    """Recursive descent: `or` binds less than `and`, `and` less than `not`."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def alternatives(self, depth: int) -> Test:
        tests = [self._conjunction(depth)]
        while self._take(_OR):
            tests.append(self._conjunction(depth))
        return tests[0] if len(tests) == 1 else lambda it: any(test(it) for test in tests)

    def end(self) -> None:
        if self._rest():
            self._fail("the expression has ended")

    def _conjunction(self, depth: int) -> Test:
        tests = [self._term(depth)]
        while self._take(_AND):
            tests.append(self._term(depth))
        return tests[0] if len(tests) == 1 else lambda it: all(test(it) for test in tests)

    def _term(self, depth: int) -> Test:
        if depth > MAX_DEPTH:
            self._fail(f"more than {MAX_DEPTH} expressions within one another")
        if self._take(_NOT):
            negated = self._term(depth + 1)
            return lambda it: not negated(it)
        if self._take_text("("):
            inner = self.alternatives(depth + 1)
            if not self._take_text(")"):
                self._fail("')' is expected")
            return inner
        return self._comparison()

    def _comparison(self) -> Test:
        subject = self._expect(_SUBJECT, "a subject")
        is_attribute = subject.startswith("attribute:") and subject != "attribute:"
        if not is_attribute and subject not in _OPERATORS:
            self._fail(f"'{subject}' is no subject")
        symbol = self._expect(_SYMBOL, "an operator")
        name = _NAMES.get(symbol, symbol)
        if name not in (_ALL if is_attribute else _OPERATORS[subject]):
            self._fail(f"'{symbol}' is no operator of {subject}")
        argument: Any = None
        if name in _LISTS:
            argument = self._list()
        elif name in _PATTERNS:
            argument = self._pattern()
        elif name not in _EXISTENCE:
            argument = self._literal()
        return self._test(subject, name, argument)

    def _test(self, subject: str, name: str, argument: Any) -> Test:
        if subject == "runningTasksCount":
            number = self._number(argument)
            return lambda it: _ORDER[name](it.running_tasks, number)
        if subject == "registeredAt":
            moment = self._moment(argument)
            return lambda it: _ORDER[name](it.registered_at, moment)
        if subject == "agentVersion":
            version = self._version(argument)
            return lambda it: (
                it.agent_version is not None
                and _ORDER[name](_version_of(it.agent_version), version)
            )
        if subject == "task:group":
            return _group_test(name, argument)
        check = _text_check(name, argument)
        if subject == "agentConnected":
            return lambda it: check(str(it.agent_connected).lower())
        if subject == "ec2InstanceId":
            return lambda it: it.ec2_instance_id is not None and check(it.ec2_instance_id)
        return _attribute_test(subject.removeprefix("attribute:"), name, check)

    def _list(self) -> list[str]:
        if not self._take_text("["):
            self._fail("'[' is expected")
        items = [self._literal()]
        while self._take_text(","):
            items.append(self._literal())
        if not self._take_text("]"):
            self._fail("']' is expected")
        return items

    def _literal(self) -> str:
        return self._quoted() or self._expect(_LITERAL, "an argument")

    def _pattern(self) -> re.Pattern[str]:
        text = self._quoted() or self._expect(_PATTERN, "a regular expression")
        try:
            return re.compile(text)
        except (re.error, OverflowError, RecursionError):
            self._fail(f"'{text}' is no regular expression")

    def _quoted(self) -> str:
        self._rest()
        match = _QUOTED.match(self._text, self._at)
        if match is None:
            return ""
        self._at = match.end()
        return match[1] or match[2] or ""

    def _number(self, text: str) -> float:
        if not _NUMBER.fullmatch(text):
            self._fail(f"'{text}' is no number")
        return float(text)

    def _version(self, text: str) -> tuple[int, ...]:
        if not _VERSION.fullmatch(text):
            self._fail(f"'{text}' is no version")
        return _version_of(text)

    def _moment(self, text: str) -> float:
        try:
            moment = datetime.fromisoformat(text)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            self._fail(f"'{text}' is no date")

    def _expect(self, token: re.Pattern[str], what: str) -> str:
        return self._take(token) or self._fail(f"{what} is expected")

    def _take(self, token: re.Pattern[str]) -> str:
        self._rest()
        match = token.match(self._text, self._at)
        if match is None:
            return ""
        self._at = match.end()
        return match[0]

    def _take_text(self, text: str) -> bool:
        if not self._rest().startswith(text):
            return False
        self._at += len(text)
        return True

    def _rest(self) -> str:
        """What follows, and that is no space."""
        while self._at < len(self._text) and self._text[self._at].isspace():
            self._at += 1
        return self._text[self._at : self._at + 1]

    def _fail(self, why: str) -> NoReturn:
        raise QueryError(f"at character {self._at + 1}: {why}")


def _text_check(name: str, argument: Any) -> Callable[[str], bool]:
    if name in _NEGATIVE:
        positive = _text_check(_NEGATIVE[name], argument)
        return lambda value: not positive(value)
    if name == "in":
        return lambda value: value in argument
    if name == "matches":
        return lambda value: argument.fullmatch(value) is not None
    if name == "equals":
        return lambda value: bool(value == argument)
    return lambda value: name in _EXISTENCE or _compared(name, value, argument)


def _compared(name: str, value: str, argument: str) -> bool:
    """As numbers where both are, else as text."""
    if _NUMBER.fullmatch(value) and _NUMBER.fullmatch(argument):
        return _ORDER[name](float(value), float(argument))
    return _ORDER[name](value, argument)


def _attribute_test(attribute: str, name: str, check: Callable[[str], bool]) -> Test:
    """Of an attribute that an instance does not have only `!exists` is true: `!=` selects those
    that have it with another value.
    """
    if name == "not_exists":
        return lambda it: attribute not in it.attributes
    return lambda it: attribute in it.attributes and check(it.attributes[attribute] or "")


def _group_test(name: str, argument: Any) -> Test:
    """An instance may have tasks of many groups: one that fits will do, or must not be there."""
    if name in _EXISTENCE:
        return lambda it: bool(it.groups) == (name == "exists")
    check = _text_check(_NEGATIVE.get(name, name), argument)
    return lambda it: _any(check, it.groups) != (name in _NEGATIVE)


def _any(check: Callable[[str], bool], values: Iterable[str]) -> bool:
    return any(check(value) for value in values)


def _version_of(text: str) -> tuple[int, ...]:
    """`1.26.0` and `1.26` are one version."""
    match = _VERSION.match(text)
    numbers = [int(number) for number in match[1].split(".")] if match else []
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)
