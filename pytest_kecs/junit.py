"""What happened, in the JUnit report of a test that failed.

pytest writes sections of a report there only when `junit_logging` is set. As `system-out` they are
where readers of such reports show them, beside the failure's own text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from xml.etree.ElementTree import Element

import pytest

_TEXT = "kecs_system_out"
# What XML cannot have.
_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def attach(report: pytest.TestReport, text: str) -> None:
    """Let the process that writes the XML know the text."""
    setattr(report, _TEXT, text)


@contextmanager
def around_report(config: pytest.Config, report: pytest.TestReport) -> Iterator[None]:
    """In that process, around the hook in which pytest's own plugin takes the report."""
    # After the last one it is done with the test.
    if report.when == "teardown":
        _write(config, report)
    yield
    if report.when != "teardown":
        _write(config, report)


def _write(config: pytest.Config, report: pytest.TestReport) -> None:
    text = getattr(report, _TEXT, None)
    xml = _writer(config)
    if text is None or xml is None or not report.failed:
        return
    element = Element("system-out")
    element.text = _NO_XML.sub(lambda found: f"\\x{ord(found[0]):02x}", text)
    xml.node_reporter(report).append(element)


def _writer(config: pytest.Config):  # type: ignore[no-untyped-def]  # it is no public class
    try:
        from _pytest.junitxml import xml_key
    except ImportError:
        return None
    return config.stash.get(xml_key, None)
