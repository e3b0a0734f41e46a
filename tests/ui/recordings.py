"""Recordings of any size, as the server gives them."""

from __future__ import annotations

from typing import Any

from pytest_kecs.recording_files import Recorded

EVIL = "</script><script>window.hit = 1</script><img src=x onerror='window.hit = 2'>"
BEGIN = 1_700_000_000.0
_PREFIX = "arn:aws:ecs:us-east-1:123456789012"


def definition_arn(family: str) -> str:
    return f"{_PREFIX}:task-definition/{family}:1"


def task(number: int, exit_code: int | None = 0, family: str = "worker") -> dict[str, Any]:
    """Two containers, begun `number` times 10 ms after the test; without exit code they run."""
    begin = BEGIN + number / 100
    is_over = exit_code is not None
    identifier = f"{number:08x}{'0' * 24}"
    return {
        "id": identifier,
        "arn": f"{_PREFIX}:task/default/{identifier}",
        "cluster": "default",
        "definition": definition_arn(family),
        "group": f"family:{family}",
        "service": None,
        "startedBy": None,
        "launchType": "FARGATE",
        "capacityProvider": None,
        "status": "STOPPED" if is_over else "RUNNING",
        "desired": "STOPPED" if is_over else "RUNNING",
        "health": "UNKNOWN",
        "stopCode": "EssentialContainerExited" if is_over else None,
        "stoppedReason": "Essential container in task exited" if is_over else None,
        "created": begin,
        "started": begin + 0.05,
        "stopping": begin + 0.5 if is_over else None,
        "stopped": begin + 0.6 if is_over else None,
        "overrides": {},
        "containers": [
            _container("app", begin, exit_code, 0.5, essential=True),
            _container("side", begin, 143 if is_over else None, 0.55, essential=False),
        ],
    }


def _container(
    name: str, begin: float, exit_code: int | None, ran: float, *, essential: bool
) -> dict[str, Any]:
    return {
        "name": name,
        "image": "img",
        "essential": essential,
        "status": "RUNNING" if exit_code is None else "STOPPED",
        "health": "UNKNOWN",
        "exitCode": exit_code,
        "reason": None,
        "restarts": 0,
        "started": begin + 0.05,
        "finished": None if exit_code is None else begin + ran,
    }


def service() -> dict[str, Any]:
    """A canary deployment with a tenth of the traffic for a while."""
    weights = [("SCALE_UP", 0), ("PRODUCTION_TRAFFIC_SHIFT", 10), ("BAKE_TIME", 100)]
    return {
        "name": "shop",
        "arn": f"{_PREFIX}:service/default/shop",
        "cluster": "default",
        "status": "ACTIVE",
        "desired": 2,
        "created": BEGIN,
        "deleted": None,
        "deployments": [
            {
                "id": "1",
                "target": "ecs-svc/1",
                "definition": definition_arn("web"),
                "strategy": "CANARY",
                "sideBySide": True,
                "status": "SUCCESSFUL",
                "reason": None,
                "created": BEGIN,
                "started": BEGIN + 0.01,
                "finished": BEGIN + 0.9,
                "rolledBack": None,
                "stages": [
                    [BEGIN + 0.01 + 0.3 * number, stage, weight, 0]
                    for number, (stage, weight) in enumerate(weights)
                ],
            }
        ],
        "events": [{"at": BEGIN + 0.9, "message": "(service shop) has reached a steady state."}],
    }


def call(number: int, operation: str = "DescribeTasks", error: str | None = None) -> dict[str, Any]:
    ending = {"error": {"__type": error}} if error else {"result": {"tasks": []}}
    return {
        "at": BEGIN + number / 100,
        "kind": "call",
        "operation": operation,
        "account": "123456789012",
        "region": "us-east-1",
        "milliseconds": 1.5,
        "text": f"{operation} 1.5 ms" + (f" {error}: no such thing" if error else ""),
        "input": {"cluster": "default"},
        **ending,
    }


def recorded(
    tasks: list[dict[str, Any]],
    *,
    services: tuple[dict[str, Any], ...] = (),
    calls: list[dict[str, Any]] | None = None,
    log: str = "said this",
    nodeid: str = "tests/test_a.py::test_it",
) -> Recorded:
    changes = [
        {"at": each[moment], "kind": "task", "subject": each["arn"], "text": text}
        for each in tasks
        for moment, text in (("created", "PENDING"), ("started", "RUNNING"), ("stopped", "STOPPED"))
        if each[moment] is not None
    ]
    families = {each["definition"] for each in tasks}
    return Recorded(
        test={
            "nodeid": nodeid,
            "outcome": "failed",
            "message": "AssertionError: it broke",
            "attempt": 1,
            "process": "main",
            "run": "1",
        },
        recording={
            "realm": "1",
            "name": nodeid,
            "engine": "process",
            "now": BEGIN + len(tasks) / 100 + 400,
            "version": 1,
            "advances": [[BEGIN + len(tasks) / 100 + 1, 300.0]],
            "next": 1,
            "dropped": 0,
            "tasks": tasks,
            "services": list(services),
            "definitions": {arn: {"containerDefinitions": [{"name": "app"}]} for arn in families},
            "entries": [*(calls or [call(0, "RunTask")]), *changes],
        },
        logs={
            each["id"]: {
                "app": {"lines": [[each["started"], "stdout", log]], "skipped": 0},
                "side": {"lines": [[each["started"] + 0.1, "stderr", "other"]], "skipped": 9},
            }
            for each in tasks
        },
    )
