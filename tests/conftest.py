"""What all suites share: pytester, for tests that run pytest in pytest, and Ctrl-C."""

from __future__ import annotations

import signal

pytest_plugins = ["pytester"]


def pytest_configure() -> None:
    # A shell that runs the suite in the background has SIGINT ignored, and what the tests start
    # would inherit that; some of it is to be ended by SIGINT.
    signal.signal(signal.SIGINT, signal.default_int_handler)
