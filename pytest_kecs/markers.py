"""The marker `@pytest.mark.kecs(engine=, region=, ...)`: read, check, merge."""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from difflib import get_close_matches
from typing import Any

import pytest

from pytest_kecs.settings import InvalidValue
from pytest_kecs.settings import parse_aws_endpoint
from pytest_kecs.settings import parse_engine
from pytest_kecs.settings import parse_region

DESCRIPTION = (
    "kecs(engine=None, region=None, account=None, aws_endpoint=None, netns=None, clock=None, "
    "images=None): the test uses Amazon ECS; AWS_* variables lead to an environment of its own. "
    "engine: process, kind, kubernetes or auto; account: 12 digits; aws_endpoint: what has the "
    "rest of AWS; netns: whether tasks have networks of their own; clock: real, or manual, which "
    "stands still until kecs.advance_clock; images: what images stand for, {pattern: command}."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the markers of one test ask for; None where none asks."""

    engine: str | None = None
    region: str | None = None
    account: str | None = None
    aws_endpoint: str | None = None
    netns: bool | None = None
    clock: str | None = None
    images: Mapping[str, Any] = field(default_factory=dict)


def read_markers(marks: Iterable[pytest.Mark]) -> Wishes:
    """Merge the `kecs` markers of a test, given closest first: a closer one wins, images add up.

    :raises InvalidValue: an argument is unknown or has a wrong value.
    """
    values: dict[str, Any] = {}
    images: dict[str, Any] = {}
    for mark in marks:
        given = _checked(mark)
        images = {**given.pop("images", {}), **images}
        values = {**given, **values}
    return Wishes(**values, images=images)


def _checked(mark: pytest.Mark) -> dict[str, Any]:
    if mark.args:
        raise InvalidValue(
            f"@pytest.mark.kecs takes its arguments by name, not {mark.args[0]!r}; "
            f"it knows {', '.join(_CHECKS)}"
        )
    checked = {}
    for name, value in mark.kwargs.items():
        if name not in _CHECKS:
            raise InvalidValue(f"@pytest.mark.kecs has no argument {name!r}{_hint(name)}")
        if value is None:
            continue
        try:
            checked[name] = _CHECKS[name](value)
        except InvalidValue as error:
            raise InvalidValue(
                f"@pytest.mark.kecs({name}={value!r}) cannot be used: {error}"
            ) from None
    return checked


def _hint(name: str) -> str:
    near = get_close_matches(name, _CHECKS, n=1)
    return _meant(near) or f"; it knows {', '.join(_CHECKS)}"


def _meant(near: Sequence[str]) -> str:
    return f"; did you mean {near[0]!r}?" if near else ""


def _engine(value: Any) -> str:
    return parse_engine(_text(value))


def _region(value: Any) -> str:
    return parse_region(_text(value))


def _account(value: Any) -> str:
    if re.fullmatch(r"\d{12}", _text(value)):
        return str(value)
    raise InvalidValue("an account is a string of 12 digits")


def _aws_endpoint(value: Any) -> str:
    return parse_aws_endpoint(_text(value))


def _netns(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise InvalidValue("netns is True or False")


def _clock(value: Any) -> str:
    if value in ("real", "manual"):
        return str(value)
    near = get_close_matches(str(value), ("real", "manual"), n=1)
    raise InvalidValue(f"clock is 'real' or 'manual'{_meant(near)}")


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise InvalidValue("it must be a string")


def _images(value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise InvalidValue("images is a dictionary of pattern: command")
    return dict(value)


_CHECKS: Mapping[str, Callable[[Any], Any]] = {
    "engine": _engine,
    "region": _region,
    "account": _account,
    "aws_endpoint": _aws_endpoint,
    "netns": _netns,
    "clock": _clock,
    "images": _images,
}
