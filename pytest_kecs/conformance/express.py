"""Express services (the model's words; nothing of them is captured). Those of these checks want no
tasks."""

from __future__ import annotations

from typing import Any

from pytest_kecs.conformance.checks import Account
from pytest_kecs.conformance.checks import Members
from pytest_kecs.conformance.checks import Refusal
from pytest_kecs.conformance.checks import check
from pytest_kecs.conformance.checks import expect
from pytest_kecs.conformance.checks import expect_members
from pytest_kecs.conformance.checks import expect_true
from pytest_kecs.conformance.checks import refusals

_FAMILY = "express services"
_SOURCE = "ecs-facts 16.2"
_INVALID = "InvalidParameterException"


def _request(account: Account, **members: Any) -> Members:
    """Parameters of CreateExpressGatewayService, in a new cluster."""
    cluster = account.call("CreateCluster", clusterName=account.name())["cluster"]["clusterArn"]
    iam = f"arn:aws:iam::{cluster.split(':')[4]}"
    groups = account.network.get("securityGroups")
    network = {"subnets": account.network["subnets"]}
    return {
        "cluster": cluster.rpartition("/")[2],
        "serviceName": account.name(),
        "executionRoleArn": f"{iam}:role/kecs-conformance",
        "infrastructureRoleArn": f"{iam}:role/kecs-conformance",
        "primaryContainer": {"image": "busybox"},
        "scalingTarget": {"minTaskCount": 0},
        "networkConfiguration": {**network, "securityGroups": groups} if groups else network,
        **members,
    }


def _made(account: Account, **members: Any) -> Members:
    answer = account.call("CreateExpressGatewayService", **_request(account, **members))
    service: Members = answer["service"]
    return service


@check(
    _FAMILY,
    "CreateExpressGatewayService",
    "ACTIVE, with the defaults of its container",
    _SOURCE,
    basis="documented",
)
def creates(account: Account) -> None:
    service = _made(account)
    expect("status", service["status"]["statusCode"], "ACTIVE")
    [configuration] = service["activeConfigurations"]
    wanted = {"cpu": "256", "memory": "512", "healthCheckPath": "/ping"}
    expect_members("configuration", configuration, wanted)
    expect("containerPort", configuration["primaryContainer"]["containerPort"], 80)
    scaling = {"autoScalingMetric": "AVERAGE_CPU", "autoScalingTargetValue": 60}
    expect_members("scalingTarget", configuration["scalingTarget"], scaling)
    [path] = configuration["ingressPaths"]
    expect_true("it has an endpoint", came=bool(path["endpoint"]))


@check(
    _FAMILY,
    "CreateExpressGatewayService",
    "A service of ECS is underneath, managed by ECS",
    _SOURCE,
    basis="documented",
)
def has_a_service(account: Account) -> None:
    made = _made(account)
    where = {"cluster": made["cluster"], "services": [made["serviceName"]]}
    [service] = account.call("DescribeServices", **where)["services"]
    wanted = {"serviceArn": made["serviceArn"], "resourceManagementType": "ECS"}
    expect_members("service", service, wanted)


@check(
    _FAMILY,
    "DescribeExpressGatewayService",
    "As it was made",
    "the model of DescribeExpressGatewayService",
    basis="documented",
)
def describes(account: Account) -> None:
    made = _made(account)
    asked = {"serviceArn": made["serviceArn"]}
    service = account.call("DescribeExpressGatewayService", **asked)["service"]
    names = ("serviceArn", "serviceName", "cluster", "infrastructureRoleArn")
    expect_members("service", service, {name: made[name] for name in names})


@check(
    _FAMILY,
    "UpdateExpressGatewayService",
    "Another revision, with what it names; the rest is kept",
    _SOURCE,
    basis="documented",
)
def updates(account: Account) -> None:
    made = _made(account)
    [before] = made["activeConfigurations"]
    answer = account.call(
        "UpdateExpressGatewayService", serviceArn=made["serviceArn"], healthCheckPath="/other"
    )
    target = answer["service"]["targetConfiguration"]
    expect_members("target", target, {"healthCheckPath": "/other", "cpu": before["cpu"]})
    revisions = (before["serviceRevisionArn"], target["serviceRevisionArn"])
    expect_true("it is another revision", came=revisions[0] != revisions[1])


@check(
    _FAMILY,
    "DeleteExpressGatewayService",
    "DRAINING or gone, and not listed",
    _SOURCE,
    basis="documented",
)
def deletes(account: Account) -> None:
    made = _made(account)
    answer = account.call("DeleteExpressGatewayService", serviceArn=made["serviceArn"])
    status = answer["service"]["status"]["statusCode"]
    expect_true(f"an end: {status}", came=status in ("DRAINING", "INACTIVE"))
    expect("services", account.call("ListServices", cluster=made["cluster"])["serviceArns"], [])


def _unknown(account: Account) -> Members:
    cluster = account.call("CreateCluster", clusterName=account.name())["cluster"]["clusterArn"]
    return {"serviceArn": f"{cluster.replace(':cluster/', ':service/')}/{account.name()}"}


def _without_container(account: Account) -> Members:
    request = _request(account)
    del request["primaryContainer"]
    return request


refusals(
    _FAMILY,
    [
        Refusal(
            "CreateExpressGatewayService",
            "nothing to run",
            _without_container,
            _INVALID,
            None,
            _SOURCE,
            "documented",
        ),
        Refusal(
            "CreateExpressGatewayService",
            "unknown cluster",
            lambda account: _request(account, cluster=account.name()),
            "ClusterNotFoundException",
            None,
            "the model of CreateExpressGatewayService",
            "documented",
        ),
        Refusal(
            "DescribeExpressGatewayService",
            "unknown service",
            _unknown,
            "ResourceNotFoundException",
            None,
            _SOURCE,
            "documented",
        ),
    ],
)
