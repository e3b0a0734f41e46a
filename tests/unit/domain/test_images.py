"""Image stand-ins: reading, matching, expanding."""

from __future__ import annotations

from typing import Any

import pytest
from kecs_server.domain.images import StandIn
from kecs_server.domain.images import expanded
from kecs_server.domain.images import find_stand_in
from kecs_server.domain.images import parse_images
from kecs_server.domain.images import parse_stand_in


@pytest.mark.parametrize(
    ("value", "stand_in"),
    [
        ("python -m 'my app'", StandIn(command=("python", "-m", "my app"))),
        (["a b", ""], StandIn(command=("a b", ""))),
        ("", StandIn()),
        ({}, StandIn()),
        ({"command": "a b", "entrypoint": ["c"]}, StandIn(command=("a", "b"), entrypoint=("c",))),
        ({"environment": {"A": "b"}}, StandIn(environment={"A": "b"})),
        ({"working_directory": "/x", "image": "y"}, StandIn(working_directory="/x", image="y")),
        ({"pull_error": "no", "image": None}, StandIn(pull_error="no")),
    ],
)
def test_read(value: Any, stand_in: StandIn) -> None:
    assert parse_stand_in(value) == stand_in


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1, "not 1"),
        (None, "not None"),
        ("a 'b", "quotation"),
        ([1], "command is"),
        ({"comand": "x"}, "unknown member 'comand'"),
        ({"entrypoint": 1}, "entrypoint is"),
        ({"image": 1}, "image is a text"),
        ({"pull_error": True}, "pull_error is a text"),
        ({"working_directory": []}, "working_directory is a text"),
        ({"environment": ["A=b"]}, "environment is an object"),
        ({"environment": {"A": 1}}, "environment is an object"),
    ],
)
def test_refused(value: Any, text: str) -> None:
    with pytest.raises(ValueError, match="(?i)" + text) as caught:
        parse_images({"my:*": value})
    assert "'my:*'" in str(caught.value)


def test_first_match_wins() -> None:
    images = parse_images({"app:[12]": "one", "app:*": "two", "*": "three"})
    found = {
        name: getattr(find_stand_in(name, images), "command", None)
        for name in ("app:1", "app:3", "App:1")
    }
    assert found == {"app:1": ("one",), "app:3": ("two",), "App:1": ("three",)}
    assert find_stand_in("other", {"app": StandIn()}) is None


def test_a_port_without_another_is_itself() -> None:
    given = StandIn(command=("{host}:{port:8080}", "{port:9}", "{peer:db}", "{peer:x}", "{port:}"))
    names = {"host": "127.1.2.3", "port:8080": "40000", "peer:db": "127.1.2.4"}
    assert expanded(given, names).command == (
        "127.1.2.3:40000",
        "9",
        "127.1.2.4",
        "{peer:x}",
        "{port:}",
    )


def test_names_are_replaced_and_other_braces_kept() -> None:
    given = StandIn(
        entrypoint=("{python}",),
        command=("{rootdir}/x", "{other}", "{}", "{python"),
        environment={"{python}": "{python}:{rootdir}"},
        working_directory="{rootdir}/w",
    )
    assert expanded(given, {"python": "/p", "rootdir": "/r"}) == StandIn(
        entrypoint=("/p",),
        command=("/r/x", "{other}", "{}", "{python"),
        environment={"{python}": "/p:/r"},
        working_directory="/r/w",
    )
