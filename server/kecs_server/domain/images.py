"""Image stand-ins: what an image name means where images have no file system of their own.

A table maps patterns (`fnmatch`, case-sensitive, first match wins) to stand-ins.
"""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from dataclasses import fields
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class StandIn:
    """What runs for an image: ENTRYPOINT, CMD, variables, directory; on Kubernetes another image.

    `pull_error`: the pull fails with this text.
    """

    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    working_directory: str | None = None
    image: str | None = None
    pull_error: str | None = None


_PORT = re.compile(r"\{port:(\d{1,5})\}", re.ASCII)

Images = Mapping[str, StandIn]
"""Pattern -> stand-in, in the order in which they are tried."""


def parse_stand_in(value: Any) -> StandIn:
    """A stand-in from its JSON form: a command line, a list of words, or an object of the
    members of `StandIn`. A command line or list is what runs when the definition has no command.

    :raises ValueError: it is none of these; the text says what is wrong.
    """
    if isinstance(value, (str, list)):
        return StandIn(command=_words(value, "command"))
    if not isinstance(value, dict):
        raise ValueError(f"a stand-in is a command line, a list or an object, not {value!r}")
    known = [member.name for member in fields(StandIn)]
    unknown = sorted(set(value) - set(known))
    if unknown:
        raise ValueError(f"unknown member {unknown[0]!r} of a stand-in; known: {', '.join(known)}")
    members = {name: member for name, member in value.items() if member is not None}
    for name in ("entrypoint", "command"):
        if name in members:
            members[name] = _words(members[name], name)
    for name in ("working_directory", "image", "pull_error"):
        if not isinstance(members.get(name, ""), str):
            raise ValueError(f"{name} is a text, not {members[name]!r}")
    variables = members.get("environment", {})
    if not isinstance(variables, dict) or not all(isinstance(v, str) for v in variables.values()):
        raise ValueError(f"environment is an object of texts, not {variables!r}")
    return StandIn(**members)


def parse_images(table: Mapping[str, Any]) -> dict[str, StandIn]:
    """:raises ValueError: a stand-in that cannot be read; the text names its pattern."""
    result = {}
    for pattern, value in table.items():
        try:
            result[pattern] = parse_stand_in(value)
        except ValueError as error:
            raise ValueError(f"image pattern {pattern!r}: {error}") from None
    return result


def find_stand_in(image: str, images: Images) -> StandIn | None:
    return next((found for pattern, found in images.items() if fnmatchcase(image, pattern)), None)


def expanded(stand_in: StandIn, names: Mapping[str, str]) -> StandIn:
    """`{python}`, `{rootdir}` and whatever else `names` has, replaced; other braces are kept.

    A port that `names` does not have is itself: `{port:8080}` is 8080.
    """

    def expand(text: str) -> str:
        for name, value in names.items():
            text = text.replace("{" + name + "}", value)
        return _PORT.sub(r"\1", text)

    directory = stand_in.working_directory
    return replace(
        stand_in,
        entrypoint=tuple(map(expand, stand_in.entrypoint)),
        command=tuple(map(expand, stand_in.command)),
        environment={name: expand(value) for name, value in stand_in.environment.items()},
        working_directory=expand(directory) if directory else None,
    )


def _words(value: str | Sequence[str], name: str) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(shlex.split(value))
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise ValueError(f"{name} is a command line or a list of words, not {value!r}")
    return tuple(value)


def digest_of(image: str) -> str:
    """What stands for the digest of an image of which there is only the name: always the same."""
    return f"sha256:{hashlib.sha256(image.encode()).hexdigest()}"
