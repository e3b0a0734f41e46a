"""Volumes that are configured at launch: what is refused, and their attachment to tasks."""

from __future__ import annotations

import re
from typing import Any

import pytest
from api_steps import FARGATE
from api_steps import NETWORK
from api_steps import SLEEP
from api_steps import of
from api_steps import refusal
from api_steps import run
from api_steps import seen
from api_steps import service
from api_steps import task
from api_steps import wait_running
from api_steps import wait_stopped

from pytest_kecs.admin import AdminClient

pytestmark = pytest.mark.inferred

INVALID = "InvalidParameterException"
ROLE = "arn:aws:iam::123456789012:role/x"
NO_VOLUME = "The volume 'v' is configured at launch, so volumeConfigurations must have it."


def volumes(**members: Any) -> list[dict[str, Any]]:
    volume = {"roleArn": ROLE, "sizeInGiB": 1, **members}
    return [
        {
            "name": "v",
            "managedEBSVolume": {name: value for name, value in volume.items() if value},
        }
    ]


@pytest.fixture
def ecs(cluster: Any) -> Any:
    """A client in an account with the families ebs and far, and plain, which has no volume."""
    mounted = of(command=SLEEP, mountPoints=[{"sourceVolume": "v", "containerPath": "/v"}])
    at_launch = {"volumes": [{"name": "v", "configuredAtLaunch": True}], **mounted}
    cluster.register_task_definition(family="ebs", **at_launch)
    cluster.register_task_definition(family="far", **{**FARGATE, **at_launch})
    cluster.register_task_definition(family="plain", **of(command=SLEEP))
    return cluster


@pytest.mark.documented
def test_the_attachment_of_a_task(ecs: Any) -> None:
    started = run(ecs, "ebs", volumeConfigurations=volumes())
    assert started["lastStatus"] == "PROVISIONING"
    (first,) = started["attachments"]
    assert (first["type"], first["status"]) == ("AmazonElasticBlockStorage", "CREATED")
    assert first["details"] == [
        {"name": "roleArn", "value": ROLE},
        {"name": "volumeName", "value": "v"},
        {"name": "deleteOnTermination", "value": "true"},
    ]
    arn = started["taskArn"]
    wait_running(ecs, arn)
    (attachment,) = task(ecs, arn)["attachments"]
    assert (attachment["id"], attachment["status"]) == (first["id"], "ATTACHED")
    volume = {each["name"]: each["value"] for each in attachment["details"]}["volumeId"]
    assert re.fullmatch("vol-[0-9a-f]{17}", volume)
    ecs.stop_task(task=arn)
    wait_stopped(ecs, arn)
    (attachment,) = task(ecs, arn)["attachments"]
    assert attachment["status"] == "DELETED"


def test_a_volume_that_is_kept_is_detached(ecs: Any) -> None:
    kept = volumes(terminationPolicy={"deleteOnTermination": False})
    network = {"launchType": "FARGATE", "networkConfiguration": NETWORK}
    started = run(ecs, "far", volumeConfigurations=kept, **network)
    ecs.stop_task(task=started["taskArn"])
    wait_stopped(ecs, started["taskArn"])
    described = task(ecs, started["taskArn"])["attachments"]
    assert [(each["type"], each["status"]) for each in described] == [
        ("ElasticNetworkInterface", "DELETED"),
        ("AmazonElasticBlockStorage", "DETACHED"),
    ]
    assert {"name": "deleteOnTermination", "value": "false"} in described[1]["details"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"volumeType": "io1", "sizeInGiB": 4}, "The iops of a io1 volume must be given."),
        (
            {"volumeType": "io2", "sizeInGiB": 4, "iops": 99},
            "The iops of a io2 volume must be between 100 and 256000.",
        ),
        ({"iops": 2999}, "The iops of a gp3 volume must be between 3000 and 16000."),
        ({"volumeType": "st1", "sizeInGiB": 125, "iops": 500}, "A st1 volume can have no iops."),
        ({"volumeType": "gp2", "throughput": 125}, "A gp2 volume can have no throughput."),
        ({"throughput": 1001}, "The throughput of a volume must be between 1 and 1000."),
        (
            {"volumeInitializationRate": 100},
            "A volumeInitializationRate can be given only with a snapshotId.",
        ),
        ({"filesystemType": "ntfs"}, "The filesystemType ntfs is not supported on Linux."),
        (
            {
                "tagSpecifications": [
                    {"resourceType": "volume", "tags": [{"key": "AmazonECSManaged", "value": "x"}]}
                ]
            },
            "The tag AmazonECSManaged of an EBS volume is reserved.",
        ),
        (
            {"tagSpecifications": [{"resourceType": "volume", "propagateTags": "SERVICE"}]},
            "Tags cannot be propagated from a service by RunTask.",
        ),
    ],
)
def test_refused(ecs: Any, given: dict[str, Any], message: str) -> None:
    params = {"taskDefinition": "ebs", "volumeConfigurations": volumes(**given)}
    assert refusal(ecs.run_task, **params) == (INVALID, message)
    assert ecs.list_tasks()["taskArns"] == []


def test_magnetic_volumes_are_not_on_fargate(ecs: Any) -> None:
    assert refusal(
        ecs.run_task,
        taskDefinition="far",
        launchType="FARGATE",
        networkConfiguration=NETWORK,
        volumeConfigurations=volumes(volumeType="standard"),
    ) == (INVALID, "The volumeType standard is not supported on Fargate.")


def test_the_volumes_of_a_service(ecs: Any, admin: AdminClient) -> None:
    """Each of its tasks has one; another configuration is another deployment."""
    params = {"serviceName": "s", "taskDefinition": "ebs", "desiredCount": 2}
    assert refusal(ecs.create_service, **params) == (INVALID, NO_VOLUME)
    tagged = [{"resourceType": "volume", "propagateTags": "SERVICE"}]
    given = volumes(tagSpecifications=tagged)
    created = ecs.create_service(**params, volumeConfigurations=given)["service"]
    assert created["deployments"][0]["volumeConfigurations"] == given
    arns = seen(admin, lambda: ecs.list_tasks(serviceName="s")["taskArns"])
    wait_running(ecs, *arns)
    attachments = [task(ecs, arn)["attachments"] for arn in arns]
    assert [each[0]["status"] for each in attachments] == ["ATTACHED"] * 2
    assert len({each[0]["id"] for each in attachments}) == 2

    ecs.update_service(service="s", desiredCount=1)
    assert len(service(ecs, "s")["deployments"]) == 1
    larger = volumes(sizeInGiB=2)
    updated = ecs.update_service(service="s", volumeConfigurations=larger)["service"]
    assert updated["deployments"][0]["volumeConfigurations"] == larger
    assert updated["deployments"][0]["id"] != created["deployments"][0]["id"]


def test_an_update_of_a_service_must_fit_its_volumes(ecs: Any) -> None:
    ecs.create_service(
        serviceName="s", taskDefinition="ebs", desiredCount=0, volumeConfigurations=volumes()
    )
    unmatched = (
        INVALID,
        "The volume name 'v' in your request does not have a matching volume in your Task "
        "Definition.",
    )
    update = ecs.update_service
    assert refusal(update, service="s", volumeConfigurations=[]) == (INVALID, NO_VOLUME)
    assert refusal(update, service="s", taskDefinition="plain") == unmatched
    changed = update(service="s", taskDefinition="plain", volumeConfigurations=[])["service"]
    assert "volumeConfigurations" not in changed["deployments"][0]
    assert refusal(update, service="s", volumeConfigurations=volumes()) == unmatched
