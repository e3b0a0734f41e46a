"""`kecs logs`: what the containers of a task wrote and write."""

from __future__ import annotations

import argparse
import io
import sys

from pytest_kecs.cli_environments import account_client
from pytest_kecs.logs import LogLine
from pytest_kecs.logs import LogQuery


def show(given: argparse.Namespace) -> int:
    """Print the lines in the order of time, after the container's name where there are several."""
    query = LogQuery(
        task=given.task,
        container=given.container,
        stream=given.stream,
        since=given.since,
        tail=given.tail,
    )
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    unfinished = None
    with account_client() as client:
        for page in query.pages(client, follow=given.follow):
            for line in page.lines:
                head = _head(line, named=len(page.containers) > 1, timed=given.timestamps)
                origin = (line.container, line.stream)
                if unfinished and head:
                    head = "" if unfinished == origin else "\n" + head
                sys.stdout.write(head + line.raw)
                unfinished = None if line.raw.endswith("\n") else origin
            sys.stdout.flush()
    return 0


def _head(line: LogLine, *, named: bool, timed: bool) -> str:
    name = f"{line.container} | " if named else ""
    return f"{name}{line.timestamp} " if timed else name
