"""Services. Those of these checks want no tasks."""

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
from pytest_kecs.conformance.steps import made_cluster
from pytest_kecs.conformance.steps import made_service
from pytest_kecs.conformance.steps import pages
from pytest_kecs.conformance.steps import service_request

_FAMILY = "services"
_INVALID = "InvalidParameterException"


@check(_FAMILY, "CreateService", "Defaults of a service", "ecs-facts 7.2")
def fills_in(account: Account) -> None:
    service = made_service(account)
    lists = ("loadBalancers", "serviceRegistries", "placementConstraints", "placementStrategy")
    wanted = {
        "status": "ACTIVE",
        "desiredCount": 0,
        "runningCount": 0,
        "pendingCount": 0,
        "schedulingStrategy": "REPLICA",
        "deploymentController": {"type": "ECS"},
        "enableECSManagedTags": False,
        "enableExecuteCommand": False,
        "propagateTags": "NONE",
        "healthCheckGracePeriodSeconds": 0,
        "availabilityZoneRebalancing": "ENABLED",
        **{name: [] for name in lists},
    }
    expect_members("service", service, wanted)
    limits = {"maximumPercent": 200, "minimumHealthyPercent": 100, "strategy": "ROLLING"}
    expect_members("deploymentConfiguration", service["deploymentConfiguration"], limits)
    expect("deployments", [each["status"] for each in service["deployments"]], ["PRIMARY"])


@check(_FAMILY, "DescribeServices", "Unknown ones are failures: MISSING", "ecs-facts 7.3")
def describes_missing(account: Account) -> None:
    service = made_service(account)
    unknown = account.name()
    cluster = service["clusterArn"]
    answer = account.call(
        "DescribeServices", cluster=cluster, services=[service["serviceName"], unknown]
    )
    expect("services", [each["serviceArn"] for each in answer["services"]], [service["serviceArn"]])
    arn = service["serviceArn"].rpartition("/")[0] + "/" + unknown
    expect("failures", answer["failures"], [{"arn": arn, "reason": "MISSING"}])


@check(
    _FAMILY,
    "ListServices",
    "Pages join to the whole",
    "the model of ListServices",
    basis="documented",
)
def lists(account: Account) -> None:
    cluster = made_cluster(account)
    arns = [made_service(account, cluster=cluster)["serviceArn"] for _ in range(2)]
    came = pages(account, "ListServices", "serviceArns", cluster=cluster)
    expect("pages", sorted(came), sorted(arns))


@check(
    _FAMILY,
    "UpdateService",
    "Only a change of what runs makes a deployment",
    "ecs-facts 7.4",
    basis="documented",
)
def deploys_what_changed(account: Account) -> None:
    service = made_service(account)
    where = {"cluster": service["clusterArn"], "service": service["serviceName"]}
    same = account.call("UpdateService", desiredCount=0, **where)["service"]
    ids = [each["id"] for each in service["deployments"]]
    expect("deployments", [each["id"] for each in same["deployments"]], ids)
    other = account.call("UpdateService", forceNewDeployment=True, **where)["service"]
    expect_true("there is another deployment", came=other["deployments"][0]["id"] not in ids)


@check(_FAMILY, "DeleteService", "Gone from the list, and still described", "ecs-facts 7.3, 7.5")
def deletes(account: Account) -> None:
    service = made_service(account)
    cluster = service["clusterArn"]
    gone = account.call("DeleteService", cluster=cluster, service=service["serviceName"])["service"]
    expect_true("the status is an end", came=gone["status"] in ("DRAINING", "INACTIVE"))
    expect("listed", account.call("ListServices", cluster=cluster)["serviceArns"], [])
    described = account.call(
        "DescribeServices", cluster=cluster, services=[service["serviceName"]]
    )["services"]
    expect("described", [each["serviceArn"] for each in described], [service["serviceArn"]])


@check(
    _FAMILY,
    "ListServicesByNamespace",
    "Those whose Service Connect names it, of all clusters",
    "the model of ListServicesByNamespace",
    basis="documented",
)
def lists_by_namespace(account: Account) -> None:
    namespace = account.name()
    connected = {"enabled": True, "namespace": namespace}
    arns = [
        made_service(account, serviceConnectConfiguration=connected)["serviceArn"] for _ in range(2)
    ]
    made_service(account)
    came = pages(account, "ListServicesByNamespace", "serviceArns", namespace=namespace)
    expect("pages", sorted(came), sorted(arns))


def _create(rule: str, code: str, text: str, **members: Any) -> Refusal:
    def asked(account: Account) -> Members:
        given = service_request(account, **members)
        return {name: value for name, value in given.items() if value is not None}

    return Refusal("CreateService", rule, asked, code, text, "ecs-facts 7.1")


def _name_in_use(account: Account) -> Members:
    service = made_service(account)
    return service_request(
        account, cluster=service["clusterArn"], serviceName=service["serviceName"]
    )


refusals(
    _FAMILY,
    [
        _create(
            "unknown cluster",
            "ClusterNotFoundException",
            "Cluster not found.",
            cluster="kecs-conformance-nothing",
        ),
        _create(
            "unknown task definition",
            "ClientException",
            "TaskDefinition not found.",
            taskDefinition="kecs-conformance-nothing",
        ),
        _create("no desired count", _INVALID, "DesiredCount is missing", desiredCount=None),
        _create(
            "negative desired count",
            _INVALID,
            "DesiredCount can not be lesser than 0",
            desiredCount=-1,
        ),
        _create(
            "bad scheduling strategy",
            _INVALID,
            "Scheduling strategy should be one of [REPLICA,DAEMON]",
            schedulingStrategy="X",
        ),
        _create(
            "maximumPercent too low",
            _INVALID,
            "maximumPercent must be at least 100",
            deploymentConfiguration={"maximumPercent": 99},
        ),
        Refusal(
            "CreateService",
            "name in use",
            _name_in_use,
            _INVALID,
            "Creation of service was not idempotent.",
            "ecs-facts 7.1",
        ),
        *(
            Refusal(
                operation,
                "unknown service",
                lambda account: {"cluster": made_cluster(account), "service": account.name()},
                "ServiceNotFoundException",
                text,
                source,
            )
            for operation, text, source in (
                ("UpdateService", "Service not found.", "ecs-facts 7.4"),
                ("DeleteService", "", "ecs-facts 7.5"),
            )
        ),
    ],
)
