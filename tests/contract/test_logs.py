"""What containers write: live, with times, apart by stream, kept after the end."""

from __future__ import annotations

import time
from datetime import UTC
from datetime import datetime
from datetime import timedelta
from itertools import islice
from typing import Any

import pytest

from pytest_kecs.errors import AdminError
from pytest_kecs.kecs import Kecs


def test_streams_are_apart_and_in_order(kecs: Kecs, register: Any) -> None:
    script = "echo one; sleep 0.1; echo two >&2; sleep 0.1; echo three"
    task = kecs.run_task(register(app=script))
    lines = list(kecs.logs(task, follow=True))
    assert [(line.stream, line.text) for line in lines] == [
        ("stdout", "one"),
        ("stderr", "two"),
        ("stdout", "three"),
    ]
    assert {line.container for line in lines} == {"app"}
    assert kecs.logs(task) == "one\nthree\ntwo\n"


def test_output_that_is_opened_by_name(kecs: Kecs, register: Any) -> None:
    script = (
        "echo first >&2; echo o1; echo second > /dev/stderr; echo o2 > /dev/stdout; echo third >&2"
    )
    task = kecs.run_task(register(app=script))
    kecs.wait_stopped(task)
    assert kecs.logs(task, stream="stdout") == "o1\no2\n"
    assert kecs.logs(task, stream="stderr") == "first\nsecond\nthird\n"


def test_followed_lines_come_while_it_runs(kecs: Kecs, register: Any) -> None:
    wait = "until [ -e go ]; do sleep 0.05; done"
    task = kecs.run_task(register(app=f"echo one; {wait}; echo two; exec sleep 1000"))
    lines = kecs.logs(task, follow=True)
    assert next(lines).text == "one"
    assert kecs.logs(task) == "one\n"
    kecs.wait_running(task)
    assert kecs.exec(task, "touch go").exit_code == 0
    assert next(lines).text == "two"
    assert kecs.describe(task).last_status == "RUNNING"


def test_following_ends_with_the_task(kecs: Kecs, ecs_client: Any, register: Any) -> None:
    task = kecs.run_task(register(app="echo ready; exec sleep 1000"))
    lines = kecs.logs(task, follow=True)
    assert next(lines).text == "ready"
    ecs_client.stop_task(task=task.arn)
    assert list(lines) == []
    assert kecs.describe(task).last_status == "STOPPED"


def test_following_a_container_ends_with_it(kecs: Kecs, register: Any) -> None:
    init = {"command": "echo made; printf 'no end'", "essential": False}
    task = kecs.run_task(register(app="exec sleep 1000", init=init))
    assert [line.text for line in kecs.logs(task, "init", follow=True)] == ["made", "no end"]
    assert kecs.describe(task).containers["init"]["exitCode"] == 0
    assert kecs.describe(task).last_status == "RUNNING"


def test_following_a_task_that_never_ran(kecs: Kecs, register: Any) -> None:
    kecs.map_image("broken:*", pull_error="manifest unknown")
    task = kecs.run_task(register(app={"image": "broken:1", "command": "echo one"}))
    assert list(kecs.logs(task, follow=True)) == []
    assert kecs.describe(task).last_status == "STOPPED"


def test_containers_are_merged_by_time(kecs: Kecs, register: Any) -> None:
    after = {"dependsOn": [{"containerName": "first", "condition": "COMPLETE"}]}
    first = {"command": "echo one", "essential": False}
    task = kecs.run_task(register(second={"command": "echo two", **after}, first=first))
    lines = list(kecs.logs(task, follow=True))
    assert [(line.container, line.text) for line in lines] == [("first", "one"), ("second", "two")]
    assert kecs.logs(task) == "two\none\n"


def test_times(kecs: Kecs, register: Any) -> None:
    before = time.time()
    task = kecs.run_task(register(app="echo one; sleep 0.5; echo two"))
    one, two = kecs.logs(task, follow=True)
    assert before < one.time < two.time < time.time()
    assert two.time - one.time > 0.4
    stamped = kecs.logs(task, timestamps=True).splitlines()
    assert [line.split(" ", 1) for line in stamped] == [
        [one.timestamp, "one"],
        [two.timestamp, "two"],
    ]
    assert datetime.fromisoformat(one.timestamp) == datetime.fromtimestamp(one.time, UTC)


def test_since_and_tail(kecs: Kecs, register: Any) -> None:
    task = kecs.run_task(register(app="echo one; sleep 0.3; echo two; sleep 0.3; echo three >&2"))
    one, two, three = kecs.logs(task, follow=True)
    kecs.wait_stopped(task)
    assert kecs.logs(task, since=two.time - 0.1) == "two\nthree\n"
    assert kecs.logs(task, since=datetime.fromtimestamp(three.time - 0.1, UTC)) == "three\n"
    assert kecs.logs(task, since=timedelta(minutes=10)) == "one\ntwo\nthree\n"
    assert kecs.logs(task, since=time.time()) == ""
    assert kecs.logs(task, tail=2) == "two\nthree\n"
    assert kecs.logs(task, tail=0) == ""
    assert kecs.logs(task, tail=1, stream="stdout") == "two\n"
    assert kecs.logs(task, tail=9, since=two.time - 0.1) == "two\nthree\n"
    rest = kecs.logs(task, follow=True, since=one.time + 0.1, tail=1)
    assert [line.text for line in rest] == ["three"]


def test_what_is_asked_wrongly(kecs: Kecs, register: Any) -> None:
    task = kecs.run_task(register(app="echo one"))
    with pytest.raises(ValueError, match="stream is 'stdout' or 'stderr', not 'stdin'"):
        kecs.logs(task, stream="stdin")
    with pytest.raises(ValueError, match="tail is a number of lines"):
        kecs.logs(task, tail=-1)
    with pytest.raises(AdminError, match="no container 'other'; it has app"):
        kecs.logs(task, "other")
    with pytest.raises(AdminError, match="there is no task"):
        next(kecs.logs("0" * 32, follow=True))


def test_bytes_that_are_no_text(kecs: Kecs, register: Any) -> None:
    task = kecs.run_task(register(app=r"printf '\377\000a\rb\303\274\n\n'; printf 'no end'"))
    kecs.wait_stopped(task)
    assert kecs.logs(task) == "\ufffd\0a\rbü\n\nno end"


def test_a_long_line(kecs: Kecs, register: Any) -> None:
    task = kecs.run_task(register(app="head -c 600000 /dev/zero | tr '\\0' x; echo; echo end"))
    kecs.wait_stopped(task)
    assert kecs.logs(task) == "x" * 600000 + "\nend\n"


def test_logs_are_kept_after_the_end(kecs: Kecs, register: Any) -> None:
    task = kecs.run_task(register(app="echo one; echo two >&2; exit 3"))
    kecs.assert_stopped(task, exit_code=3)
    # Two streams have no order between them.
    assert sorted(kecs.logs(task).splitlines()) == ["one", "two"]
    assert sorted(line.text for line in islice(kecs.logs(task, follow=True), 3)) == ["one", "two"]
