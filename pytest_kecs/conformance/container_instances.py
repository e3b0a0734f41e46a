"""Container instances. Those of these checks are registered without a machine behind them."""

from __future__ import annotations

from pytest_kecs.conformance.checks import Account
from pytest_kecs.conformance.checks import Members
from pytest_kecs.conformance.checks import Refusal
from pytest_kecs.conformance.checks import check
from pytest_kecs.conformance.checks import expect
from pytest_kecs.conformance.checks import expect_members
from pytest_kecs.conformance.checks import expect_true
from pytest_kecs.conformance.checks import refusals
from pytest_kecs.conformance.steps import NOWHERE
from pytest_kecs.conformance.steps import TAGS
from pytest_kecs.conformance.steps import definition
from pytest_kecs.conformance.steps import made_cluster
from pytest_kecs.conformance.steps import made_instance
from pytest_kecs.conformance.steps import pages

_FAMILY = "container instances"
_INVALID = "InvalidParameterException"


def _listed(account: Account, cluster: str, **members: str) -> list[str]:
    answer = account.call("ListContainerInstances", cluster=cluster, **members)
    arns: list[str] = answer["containerInstanceArns"]
    return sorted(arns)


@check(_FAMILY, "ListContainerInstances", "A new cluster has none", "ecs-facts 3.1, 12.6")
def has_none(account: Account) -> None:
    expect("instances", _listed(account, made_cluster(account)), [])


@check(
    _FAMILY,
    "RegisterContainerInstance",
    "ACTIVE, with what it brings, and counted by its cluster",
    "ecs-facts 12.1",
    basis="documented",
)
def registers(account: Account) -> None:
    cluster = made_cluster(account)
    instance = made_instance(account, cluster, attributes=[{"name": "stack", "value": "prod"}])
    expect("status", instance["status"], "ACTIVE")
    expect("ARN", instance["containerInstanceArn"].split(":")[5].split("/")[1], cluster)
    expect("length of the id", len(instance["containerInstanceArn"].rpartition("/")[2]), 32)
    for which in ("registeredResources", "remainingResources"):
        resources = {each["name"]: each.get("integerValue") for each in instance[which]}
        expect_members(which, resources, {"CPU": 1024, "MEMORY": 1024})
    attributes = {each["name"]: each.get("value") for each in instance["attributes"]}
    expect_members("attributes", attributes, {"stack": "prod"})
    found = account.call("DescribeClusters", clusters=[cluster])["clusters"][0]
    expect("count", found["registeredContainerInstancesCount"], 1)


@check(
    _FAMILY,
    "RegisterContainerInstance",
    "Registered again by its ARN: the same one",
    "ecs-facts 12.1",
    basis="documented",
)
def registers_once(account: Account) -> None:
    cluster = made_cluster(account)
    arn = made_instance(account, cluster)["containerInstanceArn"]
    again = made_instance(account, cluster, containerInstanceArn=arn)
    expect("instance", again["containerInstanceArn"], arn)
    expect("instances", _listed(account, cluster), [arn])


@check(
    _FAMILY,
    "DescribeContainerInstances",
    "Tags only with include; unknown ones are failures: MISSING",
    "ecs-facts 12",
    basis="documented",
)
def describes(account: Account) -> None:
    cluster = made_cluster(account)
    arn = made_instance(account, cluster, tags=TAGS)["containerInstanceArn"]
    where = {"cluster": cluster, "containerInstances": [arn, NOWHERE]}
    answer = account.call("DescribeContainerInstances", **where)
    expect("tags", [each["tags"] for each in answer["containerInstances"]], [[]])
    missing = {"arn": arn.rpartition("/")[0] + "/" + NOWHERE, "reason": "MISSING"}
    expect("failures", answer["failures"], [missing])
    answer = account.call("DescribeContainerInstances", include=["TAGS"], **where)
    expect("tags", [each["tags"] for each in answer["containerInstances"]], [TAGS])


@check(
    _FAMILY,
    "ListContainerInstances",
    "By status and expression, in pages, and none that is INACTIVE",
    "ecs-facts 11.5, 12.6",
    basis="documented",
)
def lists(account: Account) -> None:
    cluster = made_cluster(account)
    plain = made_instance(account, cluster)["containerInstanceArn"]
    attributes = [{"name": "stack", "value": "prod"}]
    marked = made_instance(account, cluster, attributes=attributes)["containerInstanceArn"]
    gone = made_instance(account, cluster)["containerInstanceArn"]
    account.call("DeregisterContainerInstance", cluster=cluster, containerInstance=gone)
    account.call(
        "UpdateContainerInstancesState",
        cluster=cluster,
        containerInstances=[marked],
        status="DRAINING",
    )
    came = pages(account, "ListContainerInstances", "containerInstanceArns", cluster=cluster)
    expect("pages", sorted(came), sorted([plain, marked]))
    expect("DRAINING", _listed(account, cluster, status="DRAINING"), [marked])
    expect("of the stack", _listed(account, cluster, filter="attribute:stack == prod"), [marked])
    expression = "not(attribute:stack exists) and runningTasksCount == 0"
    expect("others", _listed(account, cluster, filter=expression), [plain])


@check(
    _FAMILY,
    "UpdateContainerInstancesState",
    "DRAINING and back; unknown ones are failures: MISSING",
    "ecs-facts 12.3",
    basis="documented",
)
def drains(account: Account) -> None:
    cluster = made_cluster(account)
    arn = made_instance(account, cluster)["containerInstanceArn"]
    for status in ("DRAINING", "ACTIVE"):
        answer = account.call(
            "UpdateContainerInstancesState",
            cluster=cluster,
            containerInstances=[arn, NOWHERE],
            status=status,
        )
        expect("status", [each["status"] for each in answer["containerInstances"]], [status])
        expect("failures", [each["reason"] for each in answer["failures"]], ["MISSING"])


@check(
    _FAMILY,
    "DeregisterContainerInstance",
    "INACTIVE, and its cluster can be deleted",
    "ecs-facts 12.4",
    basis="documented",
)
def deregisters(account: Account) -> None:
    cluster = made_cluster(account)
    arn = made_instance(account, cluster)["containerInstanceArn"]
    refused = "ClusterContainsContainerInstancesException"
    account.refused("DeleteCluster", {"cluster": cluster}, refused, None)
    where = {"cluster": cluster, "containerInstance": arn}
    answer = account.call("DeregisterContainerInstance", **where)
    expect("status", answer["containerInstance"]["status"], "INACTIVE")
    expect("listed", _listed(account, cluster), [])
    account.call("DeleteCluster", cluster=cluster)


def _started(account: Account, cluster: str) -> tuple[str, Members]:
    """An instance, and a task that is started on it."""
    arn = made_instance(account, cluster)["containerInstanceArn"]
    made = account.call("RegisterTaskDefinition", **definition(account))["taskDefinition"]
    answer = account.call(
        "StartTask",
        cluster=cluster,
        taskDefinition=made["taskDefinitionArn"],
        containerInstances=[arn, NOWHERE],
        startedBy="me",
    )
    expect("failures", [each["reason"] for each in answer["failures"]], ["MISSING"])
    [task] = answer["tasks"]
    return arn, task


@check(
    _FAMILY,
    "StartTask",
    "On the instances that it names; it counts there",
    "ecs-facts 5.3, 12.1",
    basis="documented",
    needs_tasks=True,
)
def starts(account: Account) -> None:
    cluster = made_cluster(account)
    arn, task = _started(account, cluster)
    wanted = {"containerInstanceArn": arn, "launchType": "EC2", "startedBy": "me"}
    expect_members("task", task, wanted)
    where = {"cluster": cluster, "containerInstances": [arn]}
    [instance] = account.call("DescribeContainerInstances", **where)["containerInstances"]
    left = {each["name"]: each.get("integerValue") for each in instance["remainingResources"]}
    expect("MiB left", left["MEMORY"], 1024 - 64)


@check(
    _FAMILY,
    "DeregisterContainerInstance",
    "Refused with tasks, unless forced",
    "ecs-facts 12.4",
    basis="documented",
    needs_tasks=True,
)
def keeps_what_has_tasks(account: Account) -> None:
    cluster = made_cluster(account)
    arn, task = _started(account, cluster)
    where = {"cluster": cluster, "containerInstance": arn}

    def is_running() -> bool:
        answer = account.call("DescribeTasks", cluster=cluster, tasks=[task["taskArn"]])
        return bool(answer["tasks"][0]["lastStatus"] == "RUNNING")

    account.wait("the task is RUNNING", is_running)
    text = "Found running tasks on the instance."
    account.refused("DeregisterContainerInstance", where, _INVALID, text)
    answer = account.call("DeregisterContainerInstance", force=True, **where)
    expect_true(
        "the instance is INACTIVE", came=answer["containerInstance"]["status"] == "INACTIVE"
    )


refusals(
    _FAMILY,
    [
        Refusal(
            "DescribeContainerInstances",
            "no instances",
            lambda account: {"cluster": made_cluster(account), "containerInstances": []},
            "ClientException",
            "Container Instances cannot be empty.",
            "ecs-facts 12",
            "documented",
        ),
        Refusal(
            "DescribeContainerInstances",
            "id of another length",
            lambda account: {"cluster": made_cluster(account), "containerInstances": ["x"]},
            _INVALID,
            "containerInstanceId length should be one of [32,36]",
            "ecs-facts 2.2",
            "inferred",
        ),
        Refusal(
            "UpdateContainerInstancesState",
            "a state that nobody sets",
            lambda account: {
                "cluster": made_cluster(account),
                "containerInstances": [NOWHERE],
                "status": "REGISTERING",
            },
            _INVALID,
            "Container instance status should be one of [ACTIVE, DRAINING]",
            "ecs-facts 12.3",
            "documented",
        ),
        Refusal(
            "UpdateContainerAgent",
            "an agent of no known version",
            lambda account: {
                "cluster": (cluster := made_cluster(account)),
                "containerInstance": made_instance(account, cluster)["containerInstanceArn"],
            },
            "MissingVersionException",
            None,
            "ecs-facts 12.5",
            "documented",
        ),
        Refusal(
            "ListContainerInstances",
            "an expression that is none",
            lambda account: {"cluster": made_cluster(account), "filter": "attribute:x =="},
            _INVALID,
            None,
            "ecs-facts 11.4",
            "inferred",
        ),
    ],
)
