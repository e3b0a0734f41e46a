"""Every operation against what was deleted, has stopped, or is not the caller's: an answer or an
error of ECS's, and a refused call changes nothing. Where ECS's words are known, they are its own.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from kecs_server.domain.task import Status
from kecs_server.domain.task import move
from kecs_server.operations.table import all_operations
from kecs_server.protocol.model import operation_model
from kecs_server.scheduler import services
from probes.cases import KINDS
from probes.cases import bases_of
from probes.world import ACCOUNT
from probes.world import REGION
from probes.world import World

UNKNOWN_ID = "0123456789abcdef0123456789abcdef"


class Graveyard(World):
    """Besides all that a world has, something of each kind that is no more."""

    def __init__(self) -> None:
        super().__init__()
        app = {"name": "app", "image": "busybox", "memory": 64}
        self.get("RegisterTaskDefinition", family="leaving", containerDefinitions=[app])
        for name, definition in (("ended", "app"), ("draining", "app"), ("stays", "leaving")):
            self.get("CreateService", serviceName=name, taskDefinition=definition, desiredCount=0)
        self.get("DeregisterTaskDefinition", taskDefinition="leaving:1")
        self.get("DeleteTaskDefinitions", taskDefinitions=["leaving:1"])
        self.get("DeleteService", service="ended")
        self.get("DeleteService", service="draining")
        cluster = self.realm.store(ACCOUNT, REGION).clusters["default"]
        services.reconcile(cluster, cluster.services["ended"], self.realm.clock.now())
        answer = self.get("RunTask", taskDefinition="app")
        self.stopped = answer["tasks"][0]["taskArn"]
        move(cluster.tasks[self.stopped.rpartition("/")[2]], Status.STOPPED, self.realm.clock.now())
        self._furnished = self.state()

    def refusal(self, operation: str, **params: Any) -> tuple[str, str | None]:
        """Type and text of the error; it has changed nothing."""
        self.restore()
        before = self.state()
        answer = self.ask(operation, json.dumps(params).encode())
        assert answer.status == 400, answer
        assert self.state() == before
        return answer.body["__type"], answer.body.get("message")


@pytest.fixture(scope="module")
def world() -> Graveyard:
    return Graveyard()


def references(world: Graveyard) -> Iterator[str]:
    ours = f"arn:aws:ecs:{REGION}:{ACCOUNT}:"
    yield from ("gone", "ended", "draining", "leaving:1", "old:1", "leaving", UNKNOWN_ID)
    yield from (world.stopped, world.stopped.rpartition("/")[2])
    for resource in (
        "cluster/gone",
        "service/default/ended",
        "service/ended",
        "service/gone/ended",
        "task-definition/leaving:1",
        "task-definition/old:1",
        f"task/{UNKNOWN_ID}",
        f"task/gone/{UNKNOWN_ID}",
        "task/01234567-89ab-cdef-0123-456789abcdef",
        f"container-instance/{UNKNOWN_ID}",
        f"container-instance/default/{UNKNOWN_ID}",
        "service-deployment/default/ended/x",
        "task-set/default/ended/ecs-svc/1",
        "capacity-provider/none",
        "daemon/gone/logs",
    ):
        yield ours + resource
    for region, account in (("eu-west-1", ACCOUNT), (REGION, "999999999999")):
        for resource in ("cluster/default", "service/default/web", "task-definition/app:1"):
            yield f"arn:aws:ecs:{region}:{account}:{resource}"


@pytest.mark.parametrize("operation", sorted(all_operations().operations()))
def test_it_is_answered_or_refused(
    world: Graveyard, operation: str, caplog: pytest.LogCaptureFixture
) -> None:
    shape = operation_model(operation).input_shape
    world.restore()
    before = world.state()
    base = bases_of(operation, world)[0]
    members = [name for name in (shape.members if shape else ()) if name in KINDS]
    # The streamed session of ExecuteCommand does not exist, which it says after all its checks.
    statuses = (200, 400, 501) if operation == "ExecuteCommand" else (200, 400)
    for member in members:
        is_list = shape.members[member].type_name == "list"
        for reference in references(world):
            value = [reference] if is_list else reference
            answer = world.ask(operation, json.dumps({**base, member: value}).encode())
            assert answer.status in statuses, (member, reference, answer)
            if answer.status == 200:
                world.restore()
            else:
                assert world.state() == before, (member, reference, answer)
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


NO_CLUSTER = ("ClusterNotFoundException", "The referenced cluster was inactive.")


@pytest.mark.parametrize(
    ("operation", "params", "expected"),
    [
        ("RunTask", {"cluster": "gone", "taskDefinition": "app"}, NO_CLUSTER),
        (
            "CreateService",
            {"cluster": "gone", "serviceName": "s", "taskDefinition": "app"},
            NO_CLUSTER,
        ),
        (
            "UpdateCluster",
            {"cluster": "gone", "settings": []},
            ("ClientException", "Cluster was not ACTIVE."),
        ),
        (
            "UpdateService",
            {"service": "ended", "desiredCount": 1},
            ("ServiceNotActiveException", "Service was not ACTIVE."),
        ),
        (
            "UpdateService",
            {"service": "draining", "desiredCount": 1},
            ("ServiceNotActiveException", "Service was not ACTIVE."),
        ),
        (
            "UpdateService",
            {"service": "none", "desiredCount": 1},
            ("ServiceNotFoundException", "Service not found."),
        ),
        ("DeleteService", {"service": "ended"}, ("ServiceNotFoundException", None)),
        (
            "RunTask",
            {"taskDefinition": "old:1"},
            ("ClientException", "TaskDefinition is inactive"),
        ),
        (
            "CreateService",
            {"serviceName": "s", "taskDefinition": "old:1", "desiredCount": 0},
            ("ClientException", "TaskDefinition is inactive"),
        ),
        ("RunTask", {"taskDefinition": "old"}, ("ClientException", "TaskDefinition not found.")),
        (
            "DescribeTaskDefinition",
            {"taskDefinition": "old"},
            ("ClientException", "Unable to describe task definition."),
        ),
        (
            "DeregisterTaskDefinition",
            {"taskDefinition": "leaving:1"},
            (
                "ClientException",
                "The task definition could not be deregistered because it is in the process of "
                "being deleted.",
            ),
        ),
    ],
)
def test_ecs_says_why(
    world: Graveyard, operation: str, params: dict[str, Any], expected: tuple[str, str | None]
) -> None:
    assert world.refusal(operation, **params) == expected


def test_a_stopped_task_is_stopped_again_without_a_change(world: Graveyard) -> None:
    world.restore()
    before = world.get("DescribeTasks", tasks=[world.stopped])
    stopped = world.get("StopTask", task=world.stopped, reason="again")["task"]
    assert stopped["lastStatus"] == "STOPPED"
    assert world.get("DescribeTasks", tasks=[world.stopped]) == before


def test_what_is_deleted_is_still_described(world: Graveyard) -> None:
    world.restore()
    (cluster,) = world.get("DescribeClusters", clusters=["gone"])["clusters"]
    (service,) = world.get("DescribeServices", services=["ended"])["services"]
    definition = world.get("DescribeTaskDefinition", taskDefinition="leaving:1")["taskDefinition"]
    statuses = [thing["status"] for thing in (cluster, service, definition)]
    assert statuses == ["INACTIVE", "INACTIVE", "DELETE_IN_PROGRESS"]
    assert world.get("ListTaskDefinitions", status="DELETE_IN_PROGRESS")["taskDefinitionArns"] == [
        world.arn("task-definition/leaving:1")
    ]
