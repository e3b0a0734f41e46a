"""Pages of a list: whole, in order, and steady while it changes."""

from __future__ import annotations

import random
from typing import Any

import pytest
from kecs_server.errors import InvalidParameterException
from kecs_server.operations.paging import page


def numbered(items: Any, params: dict[str, Any], **options: Any) -> tuple[list[int], str | None]:
    shown, token = page(items, params, key=lambda item: (item,), **options)
    return shown, token.get("nextToken")


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("size", [1, 3, 10, 100])
def test_all_items_once_and_in_order(size: int, reverse: bool) -> None:  # noqa: FBT001
    items = random.Random(size).sample(range(1000), 30)
    collected: list[int] = []
    params: dict[str, Any] = {"maxResults": size}
    while True:
        shown, token = numbered(items, params, reverse=reverse)
        collected += shown
        if token is None:
            break
        assert len(shown) == size
        params["nextToken"] = token
    assert collected == sorted(items, reverse=reverse)


def test_no_token_after_the_last_item() -> None:
    assert numbered(range(3), {"maxResults": 3}) == ([0, 1, 2], None)
    assert numbered([], {}) == ([], None)


def test_items_that_come_and_go() -> None:
    items = [2, 4, 6, 8]
    shown, token = numbered(items, {"maxResults": 2})
    assert shown == [2, 4]
    items.remove(4)
    items += [1, 5]
    assert numbered(items, {"nextToken": token})[0] == [5, 6, 8]


def test_default_size() -> None:
    assert len(numbered(range(200), {})[0]) == 100
    assert len(numbered(range(200), {}, default=10)[0]) == 10


@pytest.mark.parametrize("size", [0, -1, 101, 2**31 - 1])
def test_sizes_out_of_range(size: int) -> None:
    with pytest.raises(InvalidParameterException):
        numbered([1], {"maxResults": size})


@pytest.mark.parametrize("token", ["x", "=", "é", "e30=", "bnVsbA==", "WyJhIl0=", "W1tb" * 20_000])
def test_bad_tokens(token: str) -> None:
    with pytest.raises(InvalidParameterException) as caught:
        numbered([1], {"nextToken": token})
    assert caught.value.message == "Invalid token"
