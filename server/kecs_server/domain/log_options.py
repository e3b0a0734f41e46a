"""Options of the log driver awslogs: what its documentation and Docker's driver say of them.

ECS takes any at registration; a container whose options are not valid does not start.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Mapping

FLUSH_SECONDS = 5.0
"""Seconds after which lines that may be gone on with are sent all the same, unless
`awslogs-force-flush-interval-seconds` says otherwise.
"""

_PATTERN, _DATES = "awslogs-multiline-pattern", "awslogs-datetime-format"
_KNOWN = frozenset(
    {
        *(f"awslogs-{name}" for name in ("group", "region", "stream", "stream-prefix", "endpoint")),
        *(f"awslogs-{name}" for name in ("create-group", "create-stream", "format")),
        *(f"awslogs-{name}" for name in ("credentials-endpoint", "max-buffered-events")),
        *("awslogs-force-flush-interval-seconds", _PATTERN, _DATES),
        *("mode", "max-buffer-size", "tag", "labels", "labels-regex", "env", "env-regex"),
    }
)
_TRUE = ("1", "t", "T", "true", "TRUE", "True")
_FALSE = ("0", "f", "F", "false", "FALSE", "False")
_SIZE = re.compile(r"\d+(\.\d+)* ?([kmgtp]?i?b?)", re.IGNORECASE)

_DATE_PARTS = {
    "%a": "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)",
    "%A": "(?:Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday)",
    "%w": "[0-6]",
    "%d": "(?:0[1-9]|[12][0-9]|3[01])",
    "%b": "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)",
    "%B": "(?:January|February|March|April|May|June|July|August|September|October|November"
    "|December)",
    "%m": "(?:0[1-9]|1[0-2])",
    "%Y": "[0-9]{4}",
    "%y": "[0-9]{2}",
    "%H": "(?:[01][0-9]|2[0-3])",
    "%I": "(?:0[0-9]|1[0-2])",
    "%p": "[AP]M",
    "%M": "[0-5][0-9]",
    "%S": "[0-5][0-9]",
    "%f": "[0-9]{6}",
    "%z": "[+-][0-9]{4}",
    "%Z": "[A-Z]{1,4}T",
    "%j": "(?:0[0-9]{2}|[12][0-9]{2}|3[0-5][0-9]|36[0-6])",
    "%L": r"\.[0-9]{3}",
}
"""What stands in a line for each part of a date format."""


def check(options: Mapping[str, str]) -> None:
    """:raises ValueError: in Docker's words, where those are known."""
    for name in options:
        if name not in _KNOWN:
            raise ValueError(f"unknown log opt '{name}' for awslogs log driver")
    for name in ("awslogs-create-group", "awslogs-create-stream"):
        value = options.get(name, "")
        if value and value not in _TRUE + _FALSE:
            raise ValueError(
                f"must specify valid value for log opt '{name}': "
                f'strconv.ParseBool: parsing "{value}": invalid syntax'
            )
    if _DATES in options and _PATTERN in options:
        raise ValueError(
            f"you cannot configure log opt '{_DATES}' and '{_PATTERN}' at the same time"
        )
    interval = options.get("awslogs-force-flush-interval-seconds", "1")
    if not re.fullmatch(r"[1-9][0-9]{0,8}", interval):
        raise ValueError(
            "must specify a positive integer for log opt 'awslogs-force-flush-interval-seconds': "
            f"{interval}"
        )
    _check_mode(options)
    first_line(options)


def _check_mode(options: Mapping[str, str]) -> None:
    mode = options.get("mode", "non-blocking")
    if mode not in ("blocking", "non-blocking"):
        raise ValueError(f"logger: logging mode not supported: {mode}")
    size = options.get("max-buffer-size")
    if size is not None and mode != "non-blocking":
        raise ValueError(
            "logger: max-buffer-size option is only supported with 'mode=non-blocking'"
        )
    if size is not None and not _SIZE.fullmatch(size):
        raise ValueError(f"error parsing option max-buffer-size: invalid size: '{size}'")


def is_true(value: str) -> bool:
    return value in _TRUE


def flush_seconds(options: Mapping[str, str]) -> float:
    return float(options.get("awslogs-force-flush-interval-seconds", FLUSH_SECONDS))


def first_line(options: Mapping[str, str]) -> Callable[[bytes], bool] | None:
    """What tells whether a line is the first of an event; None: every line is an event.

    The patterns are those of the driver, which is written in Go: RE2 has the same, and takes as
    little time for a line, whatever the pattern.

    :raises ValueError: it is no regular expression.
    """
    dates = options.get(_DATES, "")
    pattern = options.get(_PATTERN, "")
    if dates:
        pattern = re.sub("%.", lambda part: _DATE_PARTS.get(part[0], ""), dates)
    if not pattern:
        return None
    import re2

    settings = re2.Options()
    settings.log_errors = False  # to the server's own stderr
    try:
        compiled = re2.compile(pattern, settings)
    except re2.error as error:
        text = error.args[0].decode()
        raise ValueError(
            f'awslogs could not parse multiline pattern key "{pattern}": {text}'
        ) from error
    # As in Go, bytes that are no UTF-8 are characters, too.
    return lambda line: compiled.search(line.decode("utf-8", "replace")) is not None
