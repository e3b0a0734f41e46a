from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from kecs_server.engines.kubernetes import crilog
from kecs_server.engines.kubernetes.logs import LogSource
from kecs_server.engines.kubernetes.logs import NodeLogs

TIME = b"2026-11-24T05:34:09.123456789Z"
SOURCE = LogSource(task_id="ab", pod="worker-1", uid="u", node="n", container="app")


def lines(*lines: bytes) -> bytes:
    return b"".join(TIME + b" " + line + b"\n" for line in lines)


def test_streams_are_apart_and_exact() -> None:
    data = lines(b"stdout F hello", b"stderr F oops", b"stdout F ", b"stdout F  a  b ")

    logs = crilog.parse(data)

    assert (logs.stdout, logs.stderr) == (b"hello\n\n a  b \n", b"oops\n")


def test_parts_are_joined_stream_by_stream() -> None:
    data = lines(b"stdout P abc", b"stderr F oops", b"stdout P def", b"stdout F ghi", b"stdout P z")

    logs = crilog.parse(data)

    assert (logs.stdout, logs.stderr) == (b"abcdefghi\nz", b"oops\n")


def test_bytes_are_bytes() -> None:
    assert crilog.parse(lines(b"stdout F \xff\r\x0b\x85")).stdout == b"\xff\r\x0b\x85\n"


def test_tags_may_grow() -> None:
    assert crilog.parse(lines(b"stdout P:x abc", b"stdout F:y d")).stdout == b"abcd\n"


def test_what_is_being_written_is_left_for_later() -> None:
    assert crilog.parse(lines(b"stdout F one") + TIME + b" stdout F tw").stdout == b"one\n"
    assert crilog.parse(b"").stdout == b""


@pytest.fixture
def node(tmp_path: Path, fake_tool: Callable[[str, str], None]) -> Path:
    """A node whose log files are those in a directory."""
    files = tmp_path / "node"
    files.mkdir()
    fake_tool("docker", f'shift 5; cat "{files}/$(basename "$2")" 2>/dev/null || true')
    return files


def test_logs_are_read_until_they_are_kept(node: Path, tmp_path: Path) -> None:
    logs = NodeLogs(tmp_path / "logs", "namespace")
    (node / "app").write_bytes(lines(b"stdout F one"))
    assert logs.read(SOURCE).stdout == b"one\n"

    (node / "app").write_bytes(lines(b"stdout F one", b"stderr F two"))
    logs.keep(SOURCE)
    (node / "app").unlink()

    assert (logs.read(SOURCE).stdout, logs.read(SOURCE).stderr) == (b"one\n", b"two\n")
    logs.discard(SOURCE.task_id)
    assert list((tmp_path / "logs").iterdir()) == []


def test_what_was_saved_in_time_outlives_the_files(node: Path, tmp_path: Path) -> None:
    logs = NodeLogs(tmp_path / "logs", "namespace")
    (node / "app").write_bytes(lines(b"stdout F one"))
    logs.save(SOURCE)
    (node / "app").unlink()

    logs.keep(SOURCE)

    assert logs.read(SOURCE).stdout == b"one\n"


def test_a_node_that_does_not_answer_is_said_in_the_log(
    tmp_path: Path, fake_tool: Callable[[str, str], None]
) -> None:
    fake_tool("docker", "echo 'no such container' >&2; exit 1")
    logs = NodeLogs(tmp_path, "namespace")

    logs.keep(SOURCE)

    assert b"no such container" in logs.read(SOURCE).stderr
