"""How tasks differ from what is asked, and what a plain assertion tells of them."""

from __future__ import annotations

import copy
import json
import pickle
import re
from typing import Any

import botocore.session
import pytest

from pytest_kecs.assertions import Ending
from pytest_kecs.assertions import explanation
from pytest_kecs.conditions import DEPLOYMENT_STATUSES
from pytest_kecs.conditions import can_become
from pytest_kecs.task import Task

ID = "0123456789abcdef0123456789abcdef"
FACTS: dict[str, Any] = {
    "taskArn": f"arn:aws:ecs:us-east-1:123456789012:task/default/{ID}",
    "taskDefinitionArn": "arn:aws:ecs:us-east-1:123456789012:task-definition/worker:2",
    "lastStatus": "STOPPED",
    "desiredStatus": "STOPPED",
    "stopCode": "EssentialContainerExited",
    "stoppedReason": "Essential container in task exited",
    "containers": [
        {"name": "app", "lastStatus": "STOPPED", "exitCode": 3},
        {"name": "side", "lastStatus": "STOPPED", "reason": "CannotPullContainerError: no"},
    ],
}
STOPPED = Task(FACTS)
STOPPING = Task(
    {
        **FACTS,
        "lastStatus": "DEACTIVATING",
        "containers": [FACTS["containers"][0], {"name": "side", "lastStatus": "RUNNING"}],
    }
)
RUNNING = Task(
    {
        **{name: FACTS[name] for name in ("taskArn", "taskDefinitionArn")},
        "lastStatus": "RUNNING",
        "desiredStatus": "RUNNING",
        "containers": [{"name": "app", "lastStatus": "RUNNING"}],
    }
)


@pytest.mark.parametrize(
    ("task", "ending", "wrong"),
    [
        (STOPPED, {"exit_code": 3, "container": "app"}, None),
        (STOPPED, {"exit_code": 0, "container": "app"}, "app had the exit code 3, not 0"),
        (STOPPED, {"exit_code": 0, "container": "side"}, "side never had an exit code, not 0"),
        (STOPPED, {"stop_code": "UserInitiated"}, "is EssentialContainerExited, not UserInitiated"),
        (STOPPED, {"reason": "CannotPull"}, None),
        (STOPPED, {"reason": re.compile("^Essential")}, None),
        (STOPPED, {"reason": re.compile("^container")}, "no reason has '^container' in it"),
        # What is known of a task before it has stopped, and what is not.
        (STOPPING, {"exit_code": 0, "container": "app"}, "app had the exit code 3, not 0"),
        (STOPPING, {"exit_code": 0, "container": "side"}, None),
        (
            STOPPING,
            {"stop_code": "UserInitiated"},
            "is EssentialContainerExited, not UserInitiated",
        ),
        (STOPPING, {"reason": "CannotPull"}, None),
        (RUNNING, {"exit_code": 0, "stop_code": "UserInitiated", "reason": "x"}, None),
    ],
)
def test_what_can_no_longer_be(task: Task, ending: dict[str, Any], wrong: str | None) -> None:
    found = Ending(**ending).differences(task)
    assert len(found) == (wrong is not None)
    assert wrong is None or wrong in found[0]


@pytest.mark.parametrize(
    ("container", "text"),
    [(None, "say which container; the task has app, side"), ("x", "there is no container 'x'")],
)
def test_it_must_be_clear_which_container_is_meant(container: str | None, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        Ending(exit_code=0, container=container).differences(STOPPED)


def test_a_task_shows_why_it_stopped() -> None:
    assert repr(STOPPED) == (
        f"<Task {ID} STOPPED, EssentialContainerExited: Essential container in task exited, "
        "app: exit 3, side: CannotPullContainerError: no>"
    )
    assert repr(RUNNING) == f"<Task {ID} RUNNING>"


@pytest.mark.parametrize(
    ("left", "op", "right", "first"),
    [
        (STOPPED.last_status, "==", "RUNNING", "'STOPPED' == 'RUNNING'"),
        ("RUNNING", "==", STOPPED["lastStatus"], "'RUNNING' == 'STOPPED'"),
        (STOPPED.desired_status, "!=", "STOPPED", "'STOPPED' != 'STOPPED'"),
        (STOPPED.stop_code, "in", ("UserInitiated",), "in ('UserInitiated',)"),
        (STOPPED.get("stoppedReason"), "==", "x", "'Essential container in task exited' == 'x'"),
        (STOPPED.exit_codes, "==", {"app": 0}, "{'app': 3} == {'app': 0}"),
        (STOPPED.exit_codes["app"], "<", 3, "3 < 3"),
    ],
)
def test_a_plain_assertion_explains_itself(left: Any, op: str, right: Any, first: str) -> None:
    lines = explanation(op, left, right)
    assert lines is not None
    assert first in lines[0]
    told = "\n".join(lines[1:])
    for part in ("01234567", "worker:2", "EssentialContainerExited", "app: exit 3", "CannotPull"):
        assert part in told
    # More than eight lines pytest cuts off.
    assert len(lines) <= 8
    assert "hint" not in told


@pytest.mark.parametrize(
    ("wanted", "wait"),
    [("STOPPED", ", kecs.assert_stopped(task) waits"), ("PROVISIONING", "")],
)
def test_that_a_task_does_not_change_is_said(wanted: str, wait: str) -> None:
    lines = explanation("==", RUNNING.last_status, wanted) or []
    assert lines[-1] == f"hint: a Task does not change; kecs.describe(task) looks again{wait}"


def test_other_comparisons_are_left_to_pytest() -> None:
    assert explanation("==", "STOPPED", "RUNNING") is None


def test_facts_are_what_boto3_gave() -> None:
    status, codes = STOPPED["lastStatus"], STOPPED.exit_codes
    assert json.dumps([status, codes]) == '["STOPPED", {"app": 3}]'
    for again in (pickle.loads(pickle.dumps(status)), copy.deepcopy(status)):
        assert again == "STOPPED"
    assert f"{status} {codes['app']:03}" == "STOPPED 003"
    assert {"STOPPED": 1}[status] == 1
    assert dict(STOPPED) == FACTS


def test_the_statuses_of_deployments_are_ecss() -> None:
    model = botocore.session.Session().get_service_model("ecs")
    assert sorted(DEPLOYMENT_STATUSES) == sorted(model.shape_for("ServiceDeploymentStatus").enum)


@pytest.mark.parametrize(
    ("status", "ways"),
    [
        ("PENDING", 8),
        ("IN_PROGRESS", 7),
        ("SUCCESSFUL", 0),
        ("STOPPED", 0),
        ("STOP_REQUESTED", 1),
        ("ROLLBACK_REQUESTED", 4),
        ("ROLLBACK_IN_PROGRESS", 2),
        ("ROLLBACK_SUCCESSFUL", 0),
        ("ROLLBACK_FAILED", 0),
    ],
)
def test_where_a_deployment_can_still_go(status: str, ways: int) -> None:
    found = [wanted for wanted in DEPLOYMENT_STATUSES if can_become(status, wanted)]
    assert len(found) == ways
    assert status not in found
