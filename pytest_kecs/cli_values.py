"""The values of the command line's options, read from their texts.

Each raises `argparse.ArgumentTypeError`, whose text says what the value may be.
"""

from __future__ import annotations

import argparse
import difflib
import math
import re
import shlex
from datetime import datetime
from datetime import timedelta

from kecs_server.settings import ENGINES
from kecs_server.settings import is_aws_endpoint

_ENGINE_CHOICES = (*ENGINES, "auto")


def engine(text: str) -> str:
    if text in _ENGINE_CHOICES:
        return text
    close = difflib.get_close_matches(text.lower(), _ENGINE_CHOICES, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    raise argparse.ArgumentTypeError(
        f"there is no engine {text!r}; {hint}The engines are {', '.join(_ENGINE_CHOICES)}"
    )


def seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds")
    return value


def region(text: str) -> str:
    if re.fullmatch(r"[a-z]{2,3}(-[a-z]+)+-\d+", text):
        return text
    raise argparse.ArgumentTypeError(f"{text!r} is not a region, as us-east-1 is one")


def aws_endpoint(text: str) -> str:
    if is_aws_endpoint(text.rstrip("/")):
        return text.rstrip("/")
    raise argparse.ArgumentTypeError(f"{text!r} is neither http://HOST:PORT nor aws")


def port(text: str) -> int:
    if text.isascii() and text.isdigit() and int(text) < 65536:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a port: give a number from 0 to 65535")


def count(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) < 10:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a number of lines")


def detail_type(text: str) -> str:
    from pytest_kecs.events import EventQuery

    try:
        EventQuery(detail_type=text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def since(text: str) -> float | timedelta:
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)(ms|s|m|h)?", text, re.ASCII)
    if found:
        unit = {"ms": "milliseconds", "m": "minutes", "h": "hours"}.get(found[2], "seconds")
        return timedelta(**{unit: float(found[1])})
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a time: give 90s, 5m, 2h, or a time as in 2026-01-31T12:00:00Z"
        ) from None


def image(text: str) -> tuple[str, str]:
    pattern, equals, command = text.partition("=")
    try:
        is_right = bool(pattern.strip() and equals and shlex.split(command))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} cannot be read: {error}") from error
    if not is_right:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not PATTERN=ARGV, as in 'worker:*=python -m worker'"
        )
    return pattern.strip(), command.strip()
