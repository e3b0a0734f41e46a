"""The log driver awslogs with an endpoint that has CloudWatch Logs (moto's server)."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from api_steps import container
from api_steps import register
from api_steps import run
from api_steps import task
from api_steps import wait_running
from api_steps import wait_stopped
from moto_server import Moto

from pytest_kecs.admin import AdminClient

pytestmark = pytest.mark.documented

PATIENCE = 20.0
ROLE = {"executionRoleArn": "arn:aws:iam::123456789012:role/execution"}


@pytest.fixture
def logs(moto: Moto) -> Any:
    return moto.client("logs")


@pytest.fixture
def group(logs: Any) -> str:
    """A log group that no other test has."""
    name = f"/ecs/{uuid.uuid4().hex[:12]}"
    logs.create_log_group(logGroupName=name)
    return name


def driver(group: str, **options: str) -> dict[str, Any]:
    """The member `logConfiguration` of a container."""
    given = {f"awslogs-{name.replace('_', '-')}": value for name, value in options.items()}
    return {
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {"awslogs-group": group, "awslogs-region": "us-east-1", **given},
        }
    }


def start(ecs: Any, *containers: dict[str, Any]) -> str:
    return str(run(ecs, register(ecs, "app", *containers, **ROLE))["taskArn"])


def shell(script: str, **members: Any) -> dict[str, Any]:
    return container(command=["sh", "-c", script], **members)


def messages(
    logs: Any, group: str, stream: str, are_enough: Callable[[list[str]], object]
) -> list[str]:
    """The stream's messages, once they are enough."""
    deadline = time.monotonic() + PATIENCE
    while True:
        pages = logs.get_paginator("filter_log_events").paginate(
            logGroupName=group, logStreamNames=[stream]
        )
        found = [event["message"] for page in pages for event in page["events"]]
        if are_enough(found):
            return found
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


def test_lines_arrive_under_the_name_that_ecs_gives(rest: Any, logs: Any, group: str) -> None:
    before = time.time()
    script = "echo one; echo; printf 'two\\r\\n'; echo err >&2; printf 'no end'"
    arn = start(rest, shell(script, **driver(group, stream_prefix="web")))
    wait_stopped(rest, arn)
    stream = f"web/app/{arn.rpartition('/')[2]}"
    found = messages(logs, group, stream, lambda seen: len(seen) == 4)
    assert sorted(found) == ["err", "no end", "one", "two"]
    assert [each for each in found if each != "err"] == ["one", "two", "no end"]
    events = logs.get_log_events(logGroupName=group, logStreamName=stream)["events"]
    assert all(before - 1 <= event["timestamp"] / 1000 <= time.time() + 1 for event in events)


def test_lines_arrive_while_the_container_runs(rest: Any, logs: Any, group: str) -> None:
    script = "trap 'echo last; exit 0' TERM; echo first; while :; do sleep 0.05; done"
    arn = start(rest, shell(script, **driver(group, stream_prefix="p")))
    stream = f"p/app/{arn.rpartition('/')[2]}"
    wait_running(rest, arn)
    assert messages(logs, group, stream, bool) == ["first"]
    rest.stop_task(task=arn)
    wait_stopped(rest, arn)
    assert messages(logs, group, stream, lambda seen: len(seen) == 2) == ["first", "last"]


def test_the_stream_without_a_prefix(rest: Any, logs: Any, group: str) -> None:
    arn = start(rest, shell("echo here", **driver(group)))
    wait_stopped(rest, arn)
    [described] = task(rest, arn)["containers"]
    assert messages(logs, group, described["runtimeId"], bool) == ["here"]


def test_lines_of_all_lives_of_a_container(
    rest: Any, admin: AdminClient, logs: Any, group: str, tmp_path: Path
) -> None:
    flag = tmp_path / "flag"
    script = (
        f"echo begins; while [ ! -e '{flag}' ]; do sleep 0.02; done; rm '{flag}'; echo ends; exit 1"
    )
    policy = {"enabled": True, "restartAttemptPeriod": 60}
    arn = start(rest, shell(script, restartPolicy=policy, **driver(group, stream_prefix="p")))
    stream = f"p/app/{arn.rpartition('/')[2]}"
    assert messages(logs, group, stream, bool) == ["begins"]
    admin.advance_clock(61)
    flag.touch()
    expected = ["begins", "ends", "begins"]
    assert messages(logs, group, stream, lambda seen: len(seen) == 3) == expected
    flag.touch()
    wait_stopped(rest, arn)
    assert messages(logs, group, stream, lambda seen: len(seen) == 4) == [*expected, "ends"]


def test_each_container_has_its_stream(rest: Any, logs: Any, group: str) -> None:
    options = driver(group, stream_prefix="p")
    arn = start(
        rest,
        shell("echo from one; exec sleep 1000", name="one", **options),
        shell("echo from two; exec sleep 1000", name="two", **options),
        shell("echo from three; exec sleep 1000", name="three"),
    )
    wait_running(rest, arn)
    identifier = arn.rpartition("/")[2]
    for name in ("one", "two"):
        assert messages(logs, group, f"p/{name}/{identifier}", bool) == [f"from {name}"]
    streams = logs.describe_log_streams(logGroupName=group)["logStreams"]
    assert len(streams) == 2


def test_a_group_that_is_made(rest: Any, logs: Any) -> None:
    name = f"/ecs/{uuid.uuid4().hex[:12]}"
    options = driver(name, stream_prefix="p", create_group="true")
    arns = [start(rest, shell("echo made", **options)) for _ in range(2)]
    wait_stopped(rest, *arns)
    for arn in arns:
        stream = f"p/app/{arn.rpartition('/')[2]}"
        assert messages(logs, name, stream, bool) == ["made"]


@pytest.mark.parametrize("options", [{}, {"stream_prefix": "p"}])
def test_a_group_that_is_not_there(rest: Any, options: dict[str, str]) -> None:
    arn = start(rest, shell("echo never", **driver("/no/such", **options)))
    wait_stopped(rest, arn)
    stopped = task(rest, arn)
    assert stopped["stopCode"] == "TaskFailedToStart"
    assert stopped["stoppedReason"] == (
        "ResourceInitializationError: failed to validate logger args: create stream has been "
        "retried 1 times: failed to create Cloudwatch log stream: ResourceNotFoundException: The "
        "specified log group does not exist."
    )


def test_many_lines_and_long_ones(rest: Any, logs: Any, group: str) -> None:
    script = (
        "i=0; while [ $i -lt 12000 ]; do echo line $i; i=$((i+1)); done; "
        "head -c 300000 /dev/zero | tr '\\0' x; echo; echo end"
    )
    arn = start(rest, shell(script, **driver(group, stream_prefix="p")))
    wait_stopped(rest, arn)
    stream = f"p/app/{arn.rpartition('/')[2]}"
    found = messages(logs, group, stream, lambda seen: seen[-1:] == ["end"])
    assert found[:12000] == [f"line {n}" for n in range(12000)]
    assert "".join(found[12000:-1]) == "x" * 300_000
    assert len(found) > 12002


def test_lines_are_joined_to_events(rest: Any, logs: Any, group: str) -> None:
    options = {
        "stream_prefix": "p",
        "multiline_pattern": "^begin",
        "force_flush_interval_seconds": "1",
    }
    script = "echo begin 1; echo more; echo begin 2; echo more; sleep 1000"
    arn = start(rest, shell(script, **driver(group, **options)))
    stream = f"p/app/{arn.rpartition('/')[2]}"
    found = messages(logs, group, stream, lambda seen: len(seen) == 2)
    assert found == ["begin 1\nmore\n", "begin 2\nmore\n"]


def test_the_last_event_is_sent_at_the_end(rest: Any, logs: Any, group: str) -> None:
    options = {"stream_prefix": "p", "datetime_format": "%H:%M"}
    script = "echo 10:30 one; echo two; printf '10:31 three'"
    arn = start(rest, shell(script, **driver(group, **options)))
    wait_stopped(rest, arn)
    stream = f"p/app/{arn.rpartition('/')[2]}"
    found = messages(logs, group, stream, lambda seen: len(seen) == 2)
    assert found == ["10:30 one\ntwo\n", "10:31 three\n"]


def test_options_that_the_driver_refuses(ecs: Any) -> None:
    """Also where nobody has CloudWatch Logs."""
    ecs.create_cluster()
    options = {"multiline_pattern": "^a", "datetime_format": "%Y"}
    arn = start(ecs, shell("echo never", **driver("/any", **options)))
    wait_stopped(ecs, arn)
    assert task(ecs, arn)["stopCode"] == "TaskFailedToStart"
    assert task(ecs, arn)["stoppedReason"] == (
        "ResourceInitializationError: failed to validate logger args: you cannot configure log opt "
        "'awslogs-datetime-format' and 'awslogs-multiline-pattern' at the same time"
    )


def test_the_group_from_a_secret(rest: Any, admin: AdminClient, logs: Any, group: str) -> None:
    admin.set_secret("/group", group)
    configuration = driver("", stream_prefix="p")["logConfiguration"]
    del configuration["options"]["awslogs-group"]
    configuration["secretOptions"] = [{"name": "awslogs-group", "valueFrom": "/group"}]
    arn = start(rest, shell("echo secret place", logConfiguration=configuration))
    wait_stopped(rest, arn)
    stream = f"p/app/{arn.rpartition('/')[2]}"
    assert messages(logs, group, stream, bool) == ["secret place"]


@pytest.mark.ours
def test_without_an_endpoint_nothing_is_asked(ecs: Any, admin: AdminClient) -> None:
    ecs.create_cluster()
    arn = start(ecs, shell("echo kept", **driver("/no/such", stream_prefix="p")))
    wait_stopped(ecs, arn)
    assert task(ecs, arn)["containers"][0]["exitCode"] == 0
