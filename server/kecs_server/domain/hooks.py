"""What a Lambda hook of a deployment is told, and what its answer means (ecs-facts 8.7)."""

from __future__ import annotations

from typing import Any

from kecs_server.domain import deploying
from kecs_server.domain.deployment import FAILED
from kecs_server.domain.deployment import IN_PROGRESS
from kecs_server.domain.deployment import SUCCEEDED
from kecs_server.domain.deployment import HookRun
from kecs_server.domain.deployment import ServiceDeployment
from kecs_server.domain.service import Service

Structure = dict[str, Any]

CALL_AGAIN = 1.0
"""Seconds after which a hook that is IN_PROGRESS is called again if it says nothing; 30 on AWS."""


def event_of(service: Service, way: ServiceDeployment, run: HookRun) -> Structure:
    """What the hook's function is called with."""
    event: Structure = {
        "executionDetails": {
            "serviceArn": service.arn,
            "targetServiceRevisionArn": service.revision_arn(way.target),
            "testTrafficWeights": _weights(service, "test"),
            "productionTrafficWeights": _weights(service, "production"),
        },
        "executionId": run.id,
        "lifecycleStage": run.stage,
        "resourceArn": service.deployment_arn(way),
    }
    if "hookDetails" in run.hook:
        event["hookDetails"] = run.hook["hookDetails"]
    return event


def _weights(service: Service, kind: str) -> dict[str, float]:
    return {
        service.revision_arn(service.revisions[number]): weight
        for number, weight in deploying.weights(service, kind).items()
    }


def take_answer(service: Service, run: HookRun, answer: object, now: float) -> None:
    """The function returned `answer`. An answer without a status that is known is a failure."""
    if not run.is_open:
        return
    status = answer.get("hookStatus") if isinstance(answer, dict) else None
    if status == SUCCEEDED:
        run.status = SUCCEEDED
    elif status == IN_PROGRESS and isinstance(answer, dict):
        delay = answer.get("callBackDelay", CALL_AGAIN)
        is_number = isinstance(delay, int | float) and not isinstance(delay, bool)
        run.due_at = now + (max(0.0, float(delay)) if is_number else CALL_AGAIN)
    else:
        reason = "" if status == FAILED else f": its answer has no hookStatus: {answer!r:.200}"
        fail(service, run, f"{FAILED}{reason}", now)
        return
    _tell(service, run, str(status), now)


def fail(service: Service, run: HookRun, why: str, now: float) -> None:
    """The hook failed, or could not be called."""
    if run.is_open:
        run.status = FAILED
        _tell(service, run, why, now)


def _tell(service: Service, run: HookRun, what: str, now: float) -> None:
    target = run.hook.get("hookTargetArn")
    service.news.append((now, f"(service {service.name}) hook {target} at {run.stage}: {what}"))
