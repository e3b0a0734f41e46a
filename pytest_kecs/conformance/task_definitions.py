"""Task definitions."""

from __future__ import annotations

from typing import Any

from pytest_kecs.conformance.checks import Account
from pytest_kecs.conformance.checks import Basis
from pytest_kecs.conformance.checks import Refusal
from pytest_kecs.conformance.checks import check
from pytest_kecs.conformance.checks import expect
from pytest_kecs.conformance.checks import expect_members
from pytest_kecs.conformance.checks import expect_true
from pytest_kecs.conformance.checks import refusals
from pytest_kecs.conformance.steps import container
from pytest_kecs.conformance.steps import definition
from pytest_kecs.conformance.steps import fargate_definition
from pytest_kecs.conformance.steps import pages

_FAMILY = "task definitions"
_CLIENT = "ClientException"
_INVALID = "InvalidParameterException"


@check(_FAMILY, "RegisterTaskDefinition", "Defaults of a container", "ecs-facts 4.1")
def fills_containers_in(account: Account) -> None:
    answer = account.call("RegisterTaskDefinition", **definition(account))["taskDefinition"]
    empty = ("portMappings", "environment", "mountPoints", "volumesFrom", "systemControls")
    wanted = {"cpu": 0, "essential": True, **{name: [] for name in empty}}
    expect_members("container", answer["containerDefinitions"][0], wanted)


@check(_FAMILY, "RegisterTaskDefinition", "Defaults of a definition", "ecs-facts 4.1")
def fills_definitions_in(account: Account) -> None:
    answer = account.call("RegisterTaskDefinition", **definition(account))["taskDefinition"]
    wanted = {"volumes": [], "placementConstraints": [], "status": "ACTIVE", "revision": 1}
    expect_members("taskDefinition", answer, wanted)
    expect("compatibilities", sorted(answer["compatibilities"]), ["EC2", "EXTERNAL"])
    expect("networkMode", answer.get("networkMode"), None)


@check(_FAMILY, "RegisterTaskDefinition", "Sizes with units become numbers", "ecs-facts 4.1")
def normalizes_sizes(account: Account) -> None:
    asked = definition(account, cpu="1 vCPU", memory="1GB")
    answer = account.call("RegisterTaskDefinition", **asked)["taskDefinition"]
    expect_members("taskDefinition", answer, {"cpu": "1024", "memory": "1024"})


@check(_FAMILY, "RegisterTaskDefinition", "Ports: protocol and hostPort filled in", "ecs-facts 4.1")
def fills_ports_in(account: Account) -> None:
    containers = [container(portMappings=[{"containerPort": 80}])]
    asked = fargate_definition(account, containerDefinitions=containers)
    answer = account.call("RegisterTaskDefinition", **asked)["taskDefinition"]
    [port] = answer["containerDefinitions"][0]["portMappings"]
    expect("portMapping", port, {"containerPort": 80, "hostPort": 80, "protocol": "tcp"})


@check(_FAMILY, "RegisterTaskDefinition", "Health checks: times filled in", "ecs-facts 4.1")
def fills_health_checks_in(account: Account) -> None:
    containers = [container(healthCheck={"command": ["CMD", "true"]})]
    asked = definition(account, containerDefinitions=containers)
    answer = account.call("RegisterTaskDefinition", **asked)["taskDefinition"]
    came = answer["containerDefinitions"][0]["healthCheck"]
    wanted = {"command": ["CMD", "true"], "interval": 30, "timeout": 5, "retries": 3}
    expect("healthCheck", came, wanted)


@check(_FAMILY, "RegisterTaskDefinition", "Revisions are never used again", "ecs-facts 4.1")
def counts_revisions(account: Account) -> None:
    asked = definition(account)
    first = account.call("RegisterTaskDefinition", **asked)["taskDefinition"]
    account.call("DeregisterTaskDefinition", taskDefinition=first["taskDefinitionArn"])
    second = account.call("RegisterTaskDefinition", **asked)["taskDefinition"]
    expect("revision", second["revision"], 2)


@check(_FAMILY, "DescribeTaskDefinition", "A family stands for its latest ACTIVE", "ecs-facts 2.3")
def describes_the_latest(account: Account) -> None:
    asked = definition(account)
    account.call("RegisterTaskDefinition", **asked)
    latest = account.call("RegisterTaskDefinition", **asked)["taskDefinition"]
    came = account.call("DescribeTaskDefinition", taskDefinition=asked["family"])
    expect("ARN", came["taskDefinition"]["taskDefinitionArn"], latest["taskDefinitionArn"])
    expect("tags", came.get("tags"), [])


@check(_FAMILY, "DeregisterTaskDefinition", "INACTIVE, and still described", "ecs-facts 4.5")
def deregisters(account: Account) -> None:
    arn = account.call("RegisterTaskDefinition", **definition(account))["taskDefinition"][
        "taskDefinitionArn"
    ]
    came = account.call("DeregisterTaskDefinition", taskDefinition=arn)["taskDefinition"]
    expect("status", came["status"], "INACTIVE")
    came = account.call("DescribeTaskDefinition", taskDefinition=arn)["taskDefinition"]
    expect("status", came["status"], "INACTIVE")
    expect_true("deregisteredAt is there", came="deregisteredAt" in came)


@check(_FAMILY, "DeleteTaskDefinitions", "An ACTIVE one is a failure", "ecs-facts 4.5")
def does_not_delete_active(account: Account) -> None:
    arn = account.call("RegisterTaskDefinition", **definition(account))["taskDefinition"][
        "taskDefinitionArn"
    ]
    answer = account.call("DeleteTaskDefinitions", taskDefinitions=[arn])
    reason = (
        "The specified task definition is still in ACTIVE status. Please deregister the target and"
        " try again."
    )
    expect("failures", answer["failures"], [{"arn": arn, "reason": reason}])
    expect("taskDefinitions", answer["taskDefinitions"], [])


@check(_FAMILY, "DeleteTaskDefinitions", "An INACTIVE one: DELETE_IN_PROGRESS", "ecs-facts 4.5")
def deletes_inactive(account: Account) -> None:
    arn = account.call("RegisterTaskDefinition", **definition(account))["taskDefinition"][
        "taskDefinitionArn"
    ]
    account.call("DeregisterTaskDefinition", taskDefinition=arn)
    answer = account.call("DeleteTaskDefinitions", taskDefinitions=[arn])
    statuses = [each["status"] for each in answer["taskDefinitions"]]
    expect("status", statuses, ["DELETE_IN_PROGRESS"])


@check(
    _FAMILY,
    "ListTaskDefinitions",
    "By revision; sort DESC turns it; pages join to the whole",
    "ecs-facts 4.5",
    basis="documented",
)
def lists_in_order(account: Account) -> None:
    asked = definition(account)
    arns = [
        account.call("RegisterTaskDefinition", **asked)["taskDefinition"]["taskDefinitionArn"]
        for _ in range(3)
    ]
    family = {"familyPrefix": asked["family"]}
    expect("pages", pages(account, "ListTaskDefinitions", "taskDefinitionArns", **family), arns)
    down = account.call("ListTaskDefinitions", sort="DESC", **family)["taskDefinitionArns"]
    expect("sorted down", down, arns[::-1])


@check(
    _FAMILY,
    "ListTaskDefinitionFamilies",
    "familyPrefix is a prefix; status chooses",
    "ecs-facts 4.5",
    basis="documented",
)
def lists_families(account: Account) -> None:
    family = account.name()
    for end in "ab":
        account.call("RegisterTaskDefinition", **definition(account, family=family + end))
    account.call("DeregisterTaskDefinition", taskDefinition=f"{family}a:1")
    for status, wanted in {"ALL": ["a", "b"], "ACTIVE": ["b"], "INACTIVE": ["a"]}.items():
        answer = account.call("ListTaskDefinitionFamilies", familyPrefix=family, status=status)
        expect(status, answer["families"], [family + end for end in wanted])


def _row(
    rule: str,
    code: str,
    text: str | None,
    source: str,
    *,
    basis: Basis = "captured",
    **members: Any,
) -> Refusal:
    def asked(account: Account) -> dict[str, Any]:
        return definition(account, **members)

    return Refusal("RegisterTaskDefinition", rule, asked, code, text, source, basis)


def _container_row(rule: str, text: str, **members: Any) -> Refusal:
    containers = [{**container(), **members}]
    return _row(rule, _CLIENT, text, "ecs-facts 4.3", containerDefinitions=containers)


def _fargate_row(rule: str, text: str, **members: Any) -> Refusal:
    def asked(account: Account) -> dict[str, Any]:
        given = fargate_definition(account, **members)
        return {name: value for name, value in given.items() if value is not None}

    return Refusal("RegisterTaskDefinition", rule, asked, _CLIENT, text, "ecs-facts 4.4")


def _depending(condition: str, **members: Any) -> list[dict[str, Any]]:
    return [
        container(dependsOn=[{"containerName": "db", "condition": condition}]),
        container(name="db", **members),
    ]


refusals(
    _FAMILY,
    [
        _row("bad cpu", _INVALID, "Invalid 'cpu' setting for task.", "ecs-facts 4.3", cpu="x"),
        _row(
            "no containers",
            _CLIENT,
            "Container list cannot be empty.",
            "ecs-facts 4.3",
            containerDefinitions=[],
        ),
        _row(
            "equal container names",
            _CLIENT,
            "Container names must be unique within a Task Definition.",
            "ecs-facts 4.3",
            containerDefinitions=[container(), container()],
        ),
        _container_row(
            "no essential container",
            "Task definition doesn't have any essential container.",
            essential=False,
        ),
        _container_row("no name", "Container.name should not be null or empty.", name=""),
        _container_row("no image", "Container.image should not be null or empty.", image=""),
        _container_row(
            "dependency on itself",
            "Container dependsOn contains a cycle",
            dependsOn=[{"containerName": "app", "condition": "START"}],
        ),
        _container_row(
            "unknown dependency",
            "Cannot depend on container + 'nobody' because it does not exist",
            dependsOn=[{"containerName": "nobody", "condition": "START"}],
        ),
        _container_row(
            "start timeout too short",
            "Granular start timeout on container 'app' must be at least 2 seconds.",
            startTimeout=1,
        ),
        _row(
            "dependency HEALTHY without health check",
            _CLIENT,
            "A dependency container with HEALTHY condition must have health check configured",
            "ecs-facts 4.3",
            containerDefinitions=_depending("HEALTHY"),
        ),
        _row(
            "dependency SUCCESS of essential container",
            _CLIENT,
            "A dependency container with SUCCESS or COMPLETE condition cannot be an essential"
            " container",
            "ecs-facts 4.3",
            containerDefinitions=_depending("SUCCESS"),
        ),
        _row(
            "no memory",
            _CLIENT,
            "Invalid setting for container 'app'. At least one of 'memory' or 'memoryReservation'"
            " must be specified.",
            "ecs-facts 4.3",
            containerDefinitions=[{"name": "app", "image": "busybox"}],
        ),
        _row("empty tags", _CLIENT, "Tags can not be empty.", "ecs-facts 4.3", tags=[]),
        _fargate_row(
            "Fargate without awsvpc",
            "Fargate only supports network mode ‘awsvpc’.",  # noqa: RUF001
            networkMode="bridge",
        ),
        _fargate_row(
            "Fargate without cpu",
            "Fargate requires that 'cpu' be defined at the task level.",
            cpu=None,
        ),
        _fargate_row(
            "Fargate without memory",
            "Fargate requires that 'memory' be defined at the task level.",
            memory=None,
        ),
        _fargate_row(
            "Fargate size that is none",
            "No Fargate configuration exists for given values: 256 CPU, 4096 memory. See the Amazon"
            " ECS documentation for the valid values.",
            memory="4096",
        ),
        *(
            Refusal(
                operation,
                rule,
                lambda account, end=end: {  # type: ignore[misc]
                    "taskDefinition": account.name() + end
                },
                code,
                text,
                "ecs-facts 4.5",
            )
            for operation, rule, end, code, text in (
                (
                    "DescribeTaskDefinition",
                    "unknown family",
                    "",
                    _CLIENT,
                    "Unable to describe task definition.",
                ),
                (
                    "DescribeTaskDefinition",
                    "revision that is no number",
                    ":abc",
                    _INVALID,
                    "Invalid task definition: Invalid revision number.",
                ),
                (
                    "DeregisterTaskDefinition",
                    "no revision",
                    "",
                    _INVALID,
                    "Revision is missing",
                ),
            )
        ),
    ],
)
