"""`maxResults` and `nextToken` of every List operation.

A token names the last item that was given out, so pages neither repeat nor skip items while
others come and go. It is sealed for the operation, the account, the region and the cluster that it
came of, and refused everywhere else.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from itertools import islice
from typing import Any
from typing import Protocol
from typing import TypeVar

from kecs_server.errors import InvalidParameterException

Structure = dict[str, Any]
Item = TypeVar("Item")
Key = tuple[Any, ...]


class Named(Protocol):
    @property
    def name(self) -> str: ...


NamedItem = TypeVar("NamedItem", bound=Named)

MAX_PAGE = 100

_SEAL_SIZE = 8


def page(
    items: Iterable[Item],
    params: Structure,
    *,
    key: Callable[[Item], Key],
    default: int | None = None,
    most: int = MAX_PAGE,
    reverse: bool = False,
) -> tuple[list[Item], Structure]:
    """The page of `items` that `params` ask for, in the order of `key`, and the members that
    the answer gets: `nextToken`, when more follow.

    :param default: items of a page when no `maxResults` says how many; `most` if not given.
    :raises InvalidParameterException: a token that is none, `maxResults` outside 1 to `most`.
    """

    def after(last: Key | None) -> Iterator[Item]:
        ordered = sorted(items, key=key, reverse=reverse)
        if last is None:
            return iter(ordered)
        try:
            return iter([it for it in ordered if (key(it) < last if reverse else key(it) > last)])
        except TypeError:
            raise InvalidParameterException("Invalid token") from None

    return page_of(after, params, key=key, default=default, most=most)


def page_of(
    after: Callable[[Key | None], Iterator[Item]],
    params: Structure,
    *,
    key: Callable[[Item], Key],
    default: int | None = None,
    most: int = MAX_PAGE,
) -> tuple[list[Item], Structure]:
    """As `page`, of items that are in order already: the page costs what it takes to find it.

    :param after: what follows the item with this key, in order; everything if the key is None.
    """
    size = params.get("maxResults", most if default is None else default)
    if "maxResults" in params and not 1 <= size <= most:
        raise InvalidParameterException(f"maxResults must be between 1 and {most}; it is {size}.")
    token = params.get("nextToken")
    found = list(islice(after(_decode(token) if token else None), size + 1))
    result = found[:size]
    return result, {"nextToken": _encode(key(result[-1]))} if len(found) > size else {}


def page_by_name(
    after: Callable[[str | None], Iterator[NamedItem]],
    params: Structure,
    *,
    default: int | None = None,
) -> tuple[list[NamedItem], Structure]:
    """As `page_of`, of things whose names are their keys."""
    return page_of(
        lambda last: after(last[0] if last else None),
        params,
        key=lambda item: (item.name,),
        default=default,
    )


def _encode(key: Key) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode()


def _decode(token: str) -> Key:
    try:
        key = json.loads(base64.urlsafe_b64decode(token.encode("ascii")))
    except (ValueError, RecursionError, binascii.Error):
        raise InvalidParameterException("Invalid token") from None
    if not isinstance(key, list):
        raise InvalidParameterException("Invalid token")
    return tuple(key)


def sealed(token: str, scope: tuple[str, ...]) -> str:
    """The token as a client gets it, good for this scope alone."""
    return base64.urlsafe_b64encode(_seal(token.encode(), scope) + token.encode()).decode()


def opened(text: str, scope: tuple[str, ...]) -> str:
    """The token that was sealed.

    :raises InvalidParameterException: it was not, or for another scope.
    """
    try:
        data = base64.urlsafe_b64decode(text.encode("ascii"))
    except (ValueError, binascii.Error):
        raise InvalidParameterException("Invalid token") from None
    seal, token = data[:_SEAL_SIZE], data[_SEAL_SIZE:]
    if not hmac.compare_digest(seal, _seal(token, scope)):
        raise InvalidParameterException("Invalid token")
    return token.decode()


def _seal(token: bytes, scope: tuple[str, ...]) -> bytes:
    key = hashlib.blake2b(json.dumps(scope).encode()).digest()
    return hashlib.blake2b(token, digest_size=_SEAL_SIZE, key=key).digest()
