"""What daemons and Express services make really runs."""

from __future__ import annotations

from typing import Any

import pytest
from steps import on_term

from pytest_kecs.kecs import Kecs

pytestmark = pytest.mark.documented

ROLE = "arn:aws:iam::123456789012:role/x"
SCRIPT = ["sh", "-c", on_term("exit 0")]


def test_a_daemon_keeps_a_task_running(kecs: Kecs, ecs_client: Any, image: str) -> None:
    ecs_client.create_cluster()
    template = {
        "ec2InstanceProfileArn": "arn:aws:iam::123456789012:instance-profile/x",
        "networkConfiguration": {"subnets": ["subnet-1"], "securityGroups": ["sg-1"]},
    }
    provider = ecs_client.create_capacity_provider(
        name="mine",
        cluster="default",
        managedInstancesProvider={
            "infrastructureRoleArn": ROLE,
            "instanceLaunchTemplate": template,
        },
    )["capacityProvider"]["capacityProviderArn"]
    agent = {"name": "agent", "image": image, "command": SCRIPT}
    definition = ecs_client.register_daemon_task_definition(
        family="agent", containerDefinitions=[agent]
    )["daemonTaskDefinitionArn"]
    made = ecs_client.create_daemon(
        daemonName="d", daemonTaskDefinitionArn=definition, capacityProviderArns=[provider]
    )
    deployed = ecs_client.get_waiter("daemon_deployment_successful")
    deployed.wait(daemonDeploymentArns=[made["deploymentArn"]])
    [first] = ecs_client.list_tasks(daemonName="d")["taskArns"]
    ecs_client.stop_task(task=first)
    kecs.assert_stopped(first, stop_code="UserInitiated")
    again = ecs_client.update_daemon(
        daemonArn=made["daemonArn"],
        daemonTaskDefinitionArn=definition,
        capacityProviderArns=[provider],
    )
    deployed.wait(daemonDeploymentArns=[again["deploymentArn"]])
    [second] = ecs_client.list_tasks(daemonName="d")["taskArns"]
    kecs.assert_running(second)


def test_an_express_service_runs_its_container(kecs: Kecs, ecs_client: Any, image: str) -> None:
    made = ecs_client.create_express_gateway_service(
        serviceName="s",
        infrastructureRoleArn=ROLE,
        executionRoleArn=ROLE,
        primaryContainer={"image": image, "command": SCRIPT},
    )["service"]
    kecs.wait_stable("s")
    [task] = ecs_client.list_tasks(serviceName="s")["taskArns"]
    kecs.assert_running(task)
    ecs_client.delete_express_gateway_service(serviceArn=made["serviceArn"])
    kecs.assert_stopped(task, stop_code="ServiceSchedulerInitiated")
