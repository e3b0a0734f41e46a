"""What all suites share: pytester, for tests that run pytest in pytest, and Ctrl-C."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
from moto_server import Moto
from moto_server import moto_server

pytest_plugins = ["pytester"]


def pytest_configure() -> None:
    # A shell that runs the suite in the background has SIGINT ignored, and what the tests start
    # would inherit that; some of it is to be ended by SIGINT.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def moto() -> Iterator[Moto]:
    """moto's server; each test uses names of its own in it."""
    with moto_server() as moto:
        yield moto
