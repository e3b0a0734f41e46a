"""Tags: limits and merging (ecs-facts 14)."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from collections.abc import Sequence

from kecs_server.errors import ClientException
from kecs_server.errors import InvalidParameterException

MAX_TAGS = 50

_SIGNS = frozenset("_.:/=+-@")

Tags = list[dict[str, str]]


def checked_tags(tags: Sequence[dict[str, str]] | None) -> Tags:
    """The tags as ECS keeps them: every one with a key and a value, each key once.

    :raises InvalidParameterException, ClientException: a limit of ecs-facts 14 is broken.
    """
    result: Tags = []
    for tag in tags or ():
        key, value = tag.get("key"), tag.get("value")
        if value is None:
            raise ClientException("Tag value can not be null.")
        if not key or len(key) > 128 or not _is_allowed(key):
            raise InvalidParameterException(f"Invalid tag key '{key}'.")
        if len(value) > 256 or not _is_allowed(value):
            raise InvalidParameterException(f"Invalid tag value '{value}'.")
        refuse_reserved(key)
        result.append({"key": key, "value": value})
    if len({tag["key"] for tag in result}) < len(result):
        raise InvalidParameterException("Duplicate tag keys found.")
    if len(result) > MAX_TAGS:
        raise InvalidParameterException("Too many tags. A resource can have up to 50 tags.")
    return result


def _is_allowed(text: str) -> bool:
    """Letters, numbers and separators of any language, and some signs, as the model says."""
    return all(char in _SIGNS or unicodedata.category(char)[0] in "LNZ" for char in text)


def refuse_reserved(key: str) -> None:
    if key.lower().startswith("aws:"):
        raise InvalidParameterException(
            f"Tag key '{key}' is reserved: keys must not begin with 'aws:'."
        )


def merged_tags(old: Iterable[dict[str, str]], new: Iterable[dict[str, str]]) -> Tags:
    """`old` with the tags of `new` put over those of the same key.

    :raises InvalidParameterException: more than 50 tags of the user's own.
    """
    merged = {tag["key"]: tag["value"] for tag in (*old, *new)}
    own = [key for key in merged if not key.lower().startswith("aws:")]
    if len(own) > MAX_TAGS:
        raise InvalidParameterException("Too many tags. A resource can have up to 50 tags.")
    return [{"key": key, "value": value} for key, value in merged.items()]
