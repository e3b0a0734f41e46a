"""Texts about tasks, services, logs and the timeline."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_kecs import diagnosis

ID = "0123456789abcdef0123456789abcdef"
ARN = f"arn:aws:ecs:us-east-1:123456789012:task/default/{ID}"
STOPPED: dict[str, Any] = {
    "taskArn": ARN,
    "taskDefinitionArn": "arn:aws:ecs:us-east-1:123456789012:task-definition/worker:2",
    "group": "service:web",
    "lastStatus": "STOPPED",
    "stopCode": "EssentialContainerExited",
    "stoppedReason": "Essential container in task exited",
    "containers": [
        {"name": "app", "lastStatus": "STOPPED", "exitCode": 3},
        {"name": "side", "lastStatus": "STOPPED", "reason": "CannotPullContainerError: no"},
    ],
}
RUNNING: dict[str, Any] = {
    "taskArn": ARN.replace("0123", "9999", 1),
    "lastStatus": "RUNNING",
    "containers": [{"name": "app", "lastStatus": "RUNNING"}],
}
SERVICE: dict[str, Any] = {
    "serviceName": "web",
    "status": "ACTIVE",
    "desiredCount": 2,
    "runningCount": 1,
    "pendingCount": 1,
    "events": [{"message": "newest"}, {"message": "oldest"}],
}
REPORT: dict[str, Any] = {
    "tasks": [STOPPED],
    "services": [SERVICE],
    "logs": {ID: {"app": {"stdout": "one\ntwo\nthree\n", "stderr": "oh\n"}}},
    "timeline": [
        {"at": 100.0, "kind": "call", "subject": "RunTask", "text": "ok"},
        {"at": 100.0124, "kind": "task", "subject": ARN, "text": "PENDING"},
    ],
}


def test_the_task_table_has_states_codes_and_reasons() -> None:
    assert diagnosis.tasks_text([STOPPED, RUNNING]).splitlines() == [
        "task      definition  status   stop code                 containers",
        "01234567  worker:2    STOPPED  EssentialContainerExited  "
        "app: exit 3, side: stopped, no exit code",
        "    reason: Essential container in task exited",
        "    side: CannotPullContainerError: no",
        "99994567  ?           RUNNING  -                         app: RUNNING",
    ]


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (0, "exit 0"),
        (126, "exit 126 (cannot be executed)"),
        (127, "exit 127 (command not found)"),
        (128, "exit 128"),
        (137, "exit 137 (SIGKILL)"),
        (143, "exit 143 (SIGTERM)"),
        (255, "exit 255"),
    ],
)
def test_exit_codes_of_shells_and_signals_are_put_into_words(code: int, told: str) -> None:
    task = {**STOPPED, "containers": [{"name": "app", "exitCode": code}]}
    assert diagnosis.tasks_text([task]).splitlines()[1].endswith(f"  app: {told}")


def alike(count: int) -> list[dict[str, Any]]:
    """So many tasks that ended in the same way, with ids 0000..., 1111..., and so on."""
    root = ARN.rpartition("/")[0]
    return [{**STOPPED, "taskArn": f"{root}/{str(number) * 32}"} for number in range(count)]


def test_many_tasks_that_are_alike_are_told_once() -> None:
    lines = diagnosis.tasks_text([*alike(5), RUNNING]).splitlines()
    assert [line.split()[0] for line in lines] == [
        "task",
        "00000000",
        "reason:",
        "side:",
        "and",
        "99994567",
    ]
    assert lines[4] == "    and 4 more like it, the last 44444444"
    assert "more like it" not in diagnosis.tasks_text(alike(3))


def test_what_several_tasks_wrote_alike_is_told_once() -> None:
    said = {"app": {"stdout": "no config\n", "stderr": ""}}
    logs = {str(number) * 32: said for number in range(3)}
    assert diagnosis.logs_text({"tasks": alike(3), "logs": logs}, 20).splitlines() == [
        "00000000 app stdout (and in 2 more tasks):",
        "    no config",
    ]


@pytest.mark.parametrize(
    "end", [{"exitCode": 127}, {"reason": 'exec: "web": executable file not found in $PATH'}]
)
def test_a_program_that_this_machine_has_not_gets_advice_once(end: dict[str, Any]) -> None:
    tasks = [{**task, "containers": [{"name": "app", **end}]} for task in alike(2)]
    advice = diagnosis.advice_text({"engine": "process", "tasks": tasks})
    assert advice.startswith("00000000 app (and in 1 more task): its command is not on this mach")
    assert "--kecs-engine=kind" in advice
    assert diagnosis.advice_text({"engine": "kind", "tasks": tasks}) == ""


def test_a_module_that_is_not_found_gets_advice() -> None:
    said = {"stdout": "", "stderr": "python: No module named shop"}
    report = {**REPORT, "engine": "process", "logs": {ID: {"app": said}}}
    assert "pytest's root directory and its src" in diagnosis.advice_text(report)
    assert diagnosis.advice_text({**report, "engine": "kind"}) == ""


def test_a_port_in_use_gets_advice() -> None:
    said = {"stdout": "", "stderr": "OSError: [Errno 98] Address already in use"}
    report = {
        **REPORT,
        "engine": "process",
        "logs": {ID: {"app": said}},
        "ports": {ID: {"app": [8080]}},
    }
    advice = diagnosis.advice_text(report, [ID])
    assert advice.startswith("01234567 app: its port 8080 is in use on this machine")
    assert "$KECS_HOST and $KECS_PORT_8080, in a stand-in {host} and {port:8080}" in advice
    assert advice in dict(diagnosis.sections(report, 20))["kecs tasks"]
    assert advice in diagnosis.task_story(STOPPED, report, 20)
    assert advice in diagnosis.service_story(SERVICE, report, 20)
    assert "in the Pod, whose containers share one localhost" in diagnosis.advice_text(
        {**report, "engine": "kind"}
    )
    assert "in the task, whose containers share one localhost" in diagnosis.advice_text(
        {**report, "own_networks": [ID]}
    )


def test_a_container_that_runs_nothing_gets_advice() -> None:
    report = {**REPORT, "idle": {ID: {"app": "shop/web:1"}, "f" * 32: {"app": "other:1"}}}
    advice = (
        "01234567 app: runs nothing, for its definition has no command and its image shop/web:1"
    )
    assert diagnosis.advice_text(report).startswith(advice)
    assert diagnosis.advice_text(report, ["f" * 32]) == ""


def test_what_a_container_waits_for() -> None:
    report = {**REPORT, "waiting": {ID: {"app": ["db to be HEALTHY", "init to end"]}}}
    told = "01234567 app: waits for db to be HEALTHY and init to end"
    assert diagnosis.advice_text(report, [ID]) == told
    assert told in diagnosis.task_story(STOPPED, report, 20)


def test_no_advice_where_no_port_was_in_use() -> None:
    assert diagnosis.advice_text({**REPORT, "engine": "process"}) == ""


def test_logs_are_cut_to_their_last_lines() -> None:
    assert diagnosis.logs_text(REPORT, 2).splitlines() == [
        "01234567 app stdout:",
        "    two",
        "    three",
        "01234567 app stderr:",
        "    oh",
    ]
    assert diagnosis.logs_text(REPORT, 0) == ""


def test_logs_come_in_the_order_of_the_tasks() -> None:
    ids = ["b" * 32, "c" * 32, "a" * 32]
    tasks = [{**RUNNING, "taskArn": f"{ARN.rpartition('/')[0]}/{each}"} for each in ids]
    logs = {each: {"app": {"stdout": f"of {each[0]}\n"}} for each in sorted(ids)}
    text = diagnosis.logs_text({"tasks": tasks, "logs": logs}, 20)
    assert [line.strip() for line in text.splitlines()[1::2]] == ["of b", "of c", "of a"]


def test_events_are_told_oldest_first() -> None:
    assert diagnosis.events_text([SERVICE]).splitlines() == [
        "service web ACTIVE: desired 2, running 1, pending 1",
        "    oldest",
        "    newest",
    ]


def test_of_many_events_the_last_are_told() -> None:
    events = [{"message": f"event {number}"} for number in range(30, 0, -1)]
    lines = diagnosis.events_text([{**SERVICE, "events": events}]).splitlines()
    assert lines[1:3] == ["    10 earlier events are not shown", "    event 11"]
    assert lines[-1] == "    event 30"


def test_the_timeline_has_distances_in_milliseconds() -> None:
    assert diagnosis.timeline_text(REPORT["timeline"]).splitlines() == [
        "     +0 ms  call  RunTask   ok",
        "    +12 ms  task  01234567  PENDING",
    ]


def test_equal_calls_in_a_row_are_one_line() -> None:
    def call(at: float, text: str) -> dict[str, Any]:
        return {"at": at, "kind": "call", "subject": "DescribeTasks", "text": text}

    entries = [call(1.0, "0.1 ms"), call(1.1, "0.2 ms"), call(1.2, "0.1 ms")]
    entries += [call(1.3, "0.1 ms ClientException: no"), *REPORT["timeline"][1:]]
    entries += [call(101.0, "0.4 ms"), call(102.0, "0.5 ms")]
    assert diagnosis.timeline_text(entries).splitlines() == [
        "     +0 ms  call  DescribeTasks  0.1 ms (3 times, until +200 ms)",
        "   +300 ms  call  DescribeTasks  0.1 ms ClientException: no",
        " +99012 ms  task  01234567       PENDING",
        "+100000 ms  call  DescribeTasks  0.4 ms (2 times, until +101000 ms)",
    ]


def test_calls_say_in_short_what_was_asked_for() -> None:
    inputs = {
        None: "",
        "": "",
        "{}": "",
        "[1]": "",
        "{": "",
        '{"clientToken": "x"}': "",
        '{"cluster": "c", "count": 2, "wait": true}': " cluster=c count=2 wait=true",
        '{"tasks": ["arn:x:task/c/0123456789abcdef0123456789abcdef"]}': " tasks=01234567",
        '{"tasks": [1, 2], "overrides": {"a": 1}, "tags": []}': (
            " tasks=[2] overrides={...} tags=[0]"
        ),
        f'{{"family": "{"x" * 200}"}}': f" family={'x' * 90}...",
    }
    assert {given: diagnosis.input_text(given) for given in inputs} == inputs
    entry = {"at": 1.0, "kind": "call", "subject": "RunTask", "text": "RunTask 1.0 ms E: no"}
    entries = [{**entry, "input": f'{{"count": {count}}}'} for count in (1, 1, 2)]
    assert [row.split("RunTask")[1] for row in diagnosis.timeline_text(entries).splitlines()] == [
        "  1.0 ms count=1 E: no (2 times, until +0 ms)",
        "  1.0 ms count=2 E: no",
    ]


def test_the_last_rows_of_a_long_timeline_are_shown_and_the_others_counted() -> None:
    entries = [{"at": float(n), "kind": "task", "subject": "t", "text": str(n)} for n in range(100)]
    lines = diagnosis.timeline_text(entries, most=3).splitlines()
    assert lines[0] == "97 earlier calls and changes are not shown"
    assert [line.split()[-1] for line in lines[1:]] == ["97", "98", "99"]
    assert lines[1].lstrip().startswith("+97000 ms")


def test_health_is_told_of_running_containers_once_it_is_known() -> None:
    states = {"one": "HEALTHY", "two": "UNHEALTHY", "three": "UNKNOWN"}
    containers = [
        {"name": name, "lastStatus": "RUNNING", "healthStatus": health}
        for name, health in states.items()
    ]
    row = diagnosis.tasks_text([{**RUNNING, "containers": containers}]).splitlines()[1]
    assert row.endswith("one: RUNNING (HEALTHY), two: RUNNING (UNHEALTHY), three: RUNNING")


def test_parts_with_nothing_to_tell_are_left_out() -> None:
    assert diagnosis.sections({"tasks": [], "services": [], "timeline": [], "logs": {}}, 20) == []
    titles = [title for title, _ in diagnosis.sections(REPORT, 20)]
    assert titles == ["kecs tasks", "kecs logs", "kecs service events", "kecs timeline"]


def test_errors_are_picked_out_of_the_log_with_their_tracebacks() -> None:
    log = """\
2026-01-02 03:04:05,678 INFO kecs_server.serving: kecs-0 serves
2026-01-02 03:04:06,678 ERROR kecs_server.scheduler.loop: the scheduler could not handle 1
Traceback (most recent call last):
  File "loop.py", line 1, in _run
ValueError: one
2026-01-02 03:04:07,678 WARNING kecs_server.engines: something is slow
Exception in thread relay:
Traceback (most recent call last):
OSError: two
2026-01-02 03:04:08,678 INFO kecs_server.serving: kecs-0 ends
"""
    errors = diagnosis.errors_text(log).splitlines()
    assert errors[0] == "ERROR kecs_server.scheduler.loop: the scheduler could not handle 1"
    assert "ValueError: one" in errors
    assert "OSError: two" in errors
    assert not any("serves" in line or "ends" in line for line in errors)
    assert diagnosis.errors_text("") == ""


def test_a_story_keeps_to_its_subject() -> None:
    other = {**REPORT, "logs": {"f" * 32: {"app": {"stdout": "another's"}}, **REPORT["logs"]}}
    story = diagnosis.task_story(STOPPED, other, 20)
    assert "three" in story
    assert "another's" not in story
    assert "RunTask" not in story
    assert "+12 ms" in story


def test_a_service_story_has_its_tasks() -> None:
    story = diagnosis.service_story(SERVICE, REPORT, 20)
    assert "newest" in story
    assert "EssentialContainerExited" in story
    assert "three" in story
    assert "+12 ms  task  01234567  PENDING" in story
    assert "RunTask" not in story


def test_a_service_story_leaves_a_namesake_out() -> None:
    other = {**STOPPED, "clusterArn": "arn:aws:ecs:us-east-1:123456789012:cluster/other"}
    story = diagnosis.service_story(SERVICE, {**REPORT, "tasks": [other]}, 20)
    assert "EssentialContainerExited" not in story
