"""Options of awslogs."""

from __future__ import annotations

import re

import pytest
from kecs_server.domain.log_options import check
from kecs_server.domain.log_options import first_line
from kecs_server.domain.log_options import flush_seconds

PATTERN, DATES = "awslogs-multiline-pattern", "awslogs-datetime-format"
INTERVAL = "awslogs-force-flush-interval-seconds"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"awslogs-grup": "x"}, "unknown log opt 'awslogs-grup' for awslogs log driver"),
        (
            {PATTERN: "^x", DATES: "%Y"},
            "you cannot configure log opt 'awslogs-datetime-format' and "
            "'awslogs-multiline-pattern' at the same time",
        ),
        ({PATTERN: "("}, 'awslogs could not parse multiline pattern key "(": '),
        ({DATES: "(%Y"}, "awslogs could not parse multiline pattern key "),
        (
            {"awslogs-create-group": "yes"},
            "must specify valid value for log opt 'awslogs-create-group': "
            'strconv.ParseBool: parsing "yes": invalid syntax',
        ),
        ({INTERVAL: "0"}, "must specify a positive integer for log opt "),
        ({INTERVAL: "1.5"}, "must specify a positive integer for log opt "),
        ({"mode": "async"}, "logger: logging mode not supported: async"),
        (
            {"mode": "blocking", "max-buffer-size": "1m"},
            "logger: max-buffer-size option is only supported with 'mode=non-blocking'",
        ),
        (
            {"max-buffer-size": "much"},
            "error parsing option max-buffer-size: invalid size: 'much'",
        ),
    ],
    ids=str,
)
def test_refused(options: dict[str, str], text: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(text)}"):
        check(options)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"awslogs-create-group": "True", "awslogs-stream-prefix": "p", "tag": "x"},
        {"mode": "non-blocking", "max-buffer-size": "25m"},
        {"mode": "blocking"},
        {PATTERN: r"^\[?\d", INTERVAL: "10"},
        {DATES: r"\[%b %d, %Y %H:%M:%S\]"},
    ],
    ids=str,
)
def test_accepted(options: dict[str, str]) -> None:
    check(options)


@pytest.mark.parametrize(
    ("dates", "line"),
    [
        (r"\[%b %d, %Y %H:%M:%S\]", b"[May 01, 2017 19:00:01] A message"),
        ("%Y-%m-%dT%H:%M:%S%L", b"2026-11-24T13:05:59.123Z x"),
        ("%A %B %I:%M %p", b"it was Friday March 09:15 PM"),
        ("%a %j %y %f %z %Z %w", b"Mon 010 26 123456 +0100 CEST 3"),
    ],
)
def test_dates_are_found_wherever_they_are_in_a_line(dates: str, line: bytes) -> None:
    is_first = first_line({DATES: dates})
    assert is_first is not None
    assert is_first(line)
    assert not is_first(b"    at com.example.App.main(App.java:17)")


@pytest.mark.parametrize(
    ("pattern", "line"),
    [
        ("^[[:digit:]]{4}", b"2024 one"),
        (r"\pL\d\z", "line ä1".encode()),
        (r"^\Q[a.*\E", b"[a.*] one"),
        ("^a(?i)b", b"aB"),
        ("^..$", b"\xff\xfe"),
    ],
)
def test_patterns_are_those_of_go(pattern: str, line: bytes) -> None:
    is_first = first_line({PATTERN: pattern})
    assert is_first is not None
    assert is_first(line)
    assert not is_first(b"    at com.example.App.main(App.java:17)")


@pytest.mark.parametrize("pattern", [r"a\Z", "(?=a)", "a++", r"(a)\1", "a{1001}"])
def test_what_go_does_not_have_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"^awslogs could not parse multiline pattern key"):
        first_line({PATTERN: pattern})


def test_no_pattern_takes_long() -> None:
    is_first = first_line({PATTERN: "^(a|aa)+$"})
    assert is_first is not None
    assert not is_first(b"a" * 100_000 + b"!")


def test_without_either_each_line_is_an_event() -> None:
    assert first_line({}) is None


def test_how_long_a_line_may_wait_for_others() -> None:
    assert (flush_seconds({}), flush_seconds({INTERVAL: "2"})) == (5.0, 2.0)
