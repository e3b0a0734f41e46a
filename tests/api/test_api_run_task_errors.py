"""What RunTask refuses (ecs-facts 5.1, 5.2, 11.1, 11.4). One thing is wrong in each row."""

from __future__ import annotations

from typing import Any

import pytest
from api_steps import FARGATE
from api_steps import NETWORK
from api_steps import SLEEP
from api_steps import container
from api_steps import of
from api_steps import refusal
from api_steps import register
from api_steps import register_fargate
from api_steps import rows
from api_steps import run

pytestmark = pytest.mark.captured

Row = tuple[str, dict[str, Any], str]

INVALID = "InvalidParameterException"
CLIENT = "ClientException"
INCOMPATIBLE = "PlatformTaskDefinitionIncompatibilityException"


def network(**members: Any) -> dict[str, Any]:
    """A request to run the family far on Fargate in a network."""
    given = {"subnets": ["subnet-1"], **members}
    return {
        "taskDefinition": "far",
        "launchType": "FARGATE",
        "networkConfiguration": {"awsvpcConfiguration": given},
    }


MEMBER = {"type": "memberOf", "expression": "attribute:ecs.os-type exists"}


def constrained(*constraints: dict[str, str]) -> dict[str, Any]:
    return {"placementConstraints": list(constraints)}


def placed(**strategy: str) -> dict[str, Any]:
    return {"placementStrategy": [strategy]}


def providers(*items: dict[str, Any]) -> dict[str, Any]:
    return {
        **{name: value for name, value in network().items() if name != "launchType"},
        "capacityProviderStrategy": list(items),
    }


def ebs(name: str = "v", **members: Any) -> dict[str, Any]:
    role = "arn:aws:iam::123456789012:role/x"
    volume = {"roleArn": role, "sizeInGiB": 1, **members}
    return {
        "taskDefinition": "ebs",
        "volumeConfigurations": [{"name": name, "managedEBSVolume": volume}],
    }


ERRORS: list[tuple[str, dict[str, Any], str, str]] = [
    ("unknown", {"taskDefinition": "none"}, CLIENT, "TaskDefinition not found."),
    ("unknown revision", {"taskDefinition": "app:9"}, CLIENT, "TaskDefinition not found."),
    ("inactive", {"taskDefinition": "old:1"}, CLIENT, "TaskDefinition is inactive"),
    (
        # The definition is looked at first.
        "unknown in unknown cluster",
        {"taskDefinition": "none", "cluster": "none"},
        CLIENT,
        "TaskDefinition not found.",
    ),
    ("cluster", {"cluster": "none"}, "ClusterNotFoundException", "Cluster not found."),
    (
        "no network",
        {"taskDefinition": "far", "launchType": "FARGATE"},
        INVALID,
        "Network Configuration must be provided when networkMode 'awsvpc' is specified.",
    ),
    (
        "no subnets",
        {
            "taskDefinition": "far",
            "launchType": "FARGATE",
            "networkConfiguration": {"awsvpcConfiguration": {"subnets": []}},
        },
        INVALID,
        "subnets can not be empty.",
    ),
    (
        "unknown subnet",
        {
            "taskDefinition": "far",
            "launchType": "FARGATE",
            "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["net"]}},
        },
        INVALID,
        "Error retrieving subnet information for [net]: The subnet ID 'net' does not exist "
        "(ErrorCode: InvalidSubnetID.NotFound)",
    ),
    (
        "unknown group",
        {
            "taskDefinition": "far",
            "launchType": "FARGATE",
            "networkConfiguration": {
                "awsvpcConfiguration": {"subnets": ["subnet-1"], "securityGroups": ["g"]}
            },
        },
        INVALID,
        "Error retrieving security group information for [g]: The security group 'g' does not "
        "exist (ErrorCode: InvalidGroup.NotFound)",
    ),
    (
        "launch type and strategy",
        {"launchType": "EC2", "capacityProviderStrategy": [{"capacityProvider": "FARGATE"}]},
        INVALID,
        "Specifying both a launch type and capacity provider strategy is not supported. Remove "
        "one and try again.",
    ),
    (
        "launch type",
        {"launchType": "LAMBDA"},
        INVALID,
        "launch type should be one of [EC2,FARGATE,EXTERNAL,FMI,MANAGED_INSTANCES]",
    ),
    (
        "not for FARGATE",
        {"launchType": "FARGATE"},
        INVALID,
        "Task definition does not support launch_type FARGATE.",
    ),
    (
        "not for EXTERNAL",
        {"taskDefinition": "far", "launchType": "EXTERNAL"},
        INVALID,
        "Task definition does not support launch_type EXTERNAL.",
    ),
    (
        "network of bridge",
        {"networkConfiguration": NETWORK},
        INVALID,
        "Network Configuration is not valid for the given networkMode of this task definition.",
    ),
    (
        "public address on EC2",
        {**network(assignPublicIp="ENABLED"), "launchType": "EC2"},
        INVALID,
        "Assign public IP is not supported for this launch type.",
    ),
    (
        "no associated provider",
        providers({"capacityProvider": "none", "weight": 1}),
        INVALID,
        "The specified capacity provider strategy cannot contain a capacity provider that is not "
        "associated with the cluster. Associate the capacity provider with the cluster and try "
        "again.",
    ),
    (
        "two bases",
        providers(
            {"capacityProvider": "FARGATE", "weight": 1, "base": 1},
            {"capacityProvider": "FARGATE_SPOT", "base": 1},
        ),
        INVALID,
        "Only one capacity provider in a strategy can have a base defined.",
    ),
    (
        "same providers",
        providers(*[{"capacityProvider": "FARGATE", "weight": 1}] * 2),
        INVALID,
        "A capacity provider may only be specified once in a strategy.",
    ),
    (
        "no weight",
        providers({"capacityProvider": "FARGATE"}),
        INVALID,
        "At least one capacity provider must have a weight value greater than zero.",
    ),
    ("started by", {"startedBy": "x" * 129}, INVALID, "startedBy longer than 128."),
    (
        "unknown volume",
        ebs("w"),
        INVALID,
        "The volume name 'w' in your request does not have a matching volume in your Task "
        "Definition.",
    ),
    (
        "platform of EC2",
        {"platformVersion": "1.4.0"},
        CLIENT,
        "The platform version must be null when specifying an EC2 launch type.",
    ),
    *(
        (
            f"platform {version!r}",
            {**network(), "platformVersion": version},
            "PlatformUnknownException",
            "The specified platform does not exist.",
        )
        for version in ("", "latest", "1.5.0", "1.4")
    ),
    (
        "platform",
        {
            "taskDefinition": "far",
            "launchType": "FARGATE",
            "networkConfiguration": NETWORK,
            "platformVersion": "9.9.9",
        },
        "PlatformUnknownException",
        "The specified platform does not exist.",
    ),
]

INFERRED = (
    "not for EXTERNAL",
    "network of",
    "public address",
    "no associated",
    "two bases",
    "same providers",
    "no weight",
    "started by",
    "unknown volume",
    "platform of",
)
"""How the names of rows begin whose words are not known from AWS."""

OURS: list[Row] = [
    *((f"count {n}", {"count": n}, "Count must be between 1 and 10.") for n in (0, 11, -1)),
    ("started by", {"startedBy": "a b"}, "startedBy contains invalid characters."),
    ("group", {"group": "service:x"}, "The group of a task must not begin with 'service:'."),
    (
        "tags of a service",
        {"propagateTags": "SERVICE"},
        "Tags cannot be propagated from a service by RunTask.",
    ),
    ("long token", {"clientToken": "x" * 65}, "idempotency token longer than 64."),
    ("token", {"clientToken": "a b"}, "idempotency token contains invalid characters."),
    (
        "reserved tag",
        {"tags": [{"key": "aws:x", "value": "1"}]},
        "Tag key 'aws:x' is reserved: keys must not begin with 'aws:'.",
    ),
    (
        "managed instances",
        {"launchType": "MANAGED_INSTANCES"},
        "The launch type MANAGED_INSTANCES is not for requests. Specify a capacity provider "
        "strategy instead.",
    ),
    (
        "17 subnets",
        network(subnets=[f"subnet-{n}" for n in range(17)]),
        "subnets can have at most 16 items.",
    ),
    (
        "6 security groups",
        network(securityGroups=[f"sg-{n}" for n in range(6)]),
        "securityGroups can have at most 5 items.",
    ),
    *(
        (
            f"{member} {value}",
            providers({"capacityProvider": "FARGATE", "weight": 1, member: value}),
            f"The {member} of a capacity provider must be between 0 and {highest}.",
        )
        for member, highest in (("weight", 1000), ("base", 100000))
        for value in (-1, highest + 1)
    ),
    (
        "21 providers",
        providers(*[{"capacityProvider": "FARGATE", "weight": 1}] * 21),
        "A capacity provider strategy can have at most 20 capacity providers.",
    ),
    *(
        (
            f"placed on Fargate by {list(members)}",
            {**network(), **members},
            "Placement constraints and strategies are not supported with the FARGATE launch type.",
        )
        for members in (placed(type="random"), constrained({"type": "distinctInstance"}))
    ),
    (
        "eleven constraints",
        constrained(*[{"type": "distinctInstance"}] * 11),
        "Maximum number of constraints is 10.",
    ),
    (
        "ten constraints and the definition's",
        {"taskDefinition": "bound", **constrained(*[{"type": "distinctInstance"}] * 10)},
        "Maximum number of constraints is 10.",
    ),
    (
        "six strategies",
        {"placementStrategy": [{"type": "random"}] * 6},
        "Maximum number of strategies is 5.",
    ),
    (
        "kind of constraint",
        constrained({"expression": "x"}),
        "A placement constraint has no type.",
    ),
    (
        "expression of distinctInstance",
        constrained({"type": "distinctInstance", "expression": "x"}),
        "A placement constraint of type distinctInstance can have no expression.",
    ),
    *(
        (
            f"expression of {len(expression)}",
            constrained({"type": "memberOf", "expression": expression}),
            "The expression of a placement constraint of type memberOf must have 1 to 2000 "
            "characters.",
        )
        for expression in ("", "x" * 2001)
    ),
    ("kind of strategy", placed(field="host"), "A placement strategy has no type."),
    *(
        (
            f"{kind} by {field!r}",
            placed(type=kind, field=field),
            f"The placement strategy {kind} has no field '{field}'.",
        )
        for kind, field in (
            ("random", "cpu"),
            ("binpack", ""),
            ("binpack", "host"),
            ("spread", ""),
            ("spread", "cpu"),
            ("spread", "attribute:"),
        )
    ),
    (
        "no volume",
        {"taskDefinition": "ebs"},
        "The volume 'v' is configured at launch, so volumeConfigurations must have it.",
    ),
    (
        "volume twice",
        {"taskDefinition": "ebs", "volumeConfigurations": ebs()["volumeConfigurations"] * 2},
        "A volume can have only one volume configuration.",
    ),
    (
        "no EBS volume",
        {"taskDefinition": "ebs", "volumeConfigurations": [{"name": "v"}]},
        "The configuration of volume 'v' has no managedEBSVolume.",
    ),
    ("role of a volume", ebs(roleArn="arn:x"), "Role is not valid"),
    (
        "size of a volume",
        ebs(sizeInGiB=None),
        "An EBS volume needs either sizeInGiB or snapshotId.",
    ),
    (
        "type of a volume",
        ebs(volumeType="gp4"),
        "volumeType should be one of [gp2,gp3,io1,io2,st1,sc1,standard]",
    ),
    *(
        (
            f"{kind} of {size}",
            ebs(volumeType=kind, sizeInGiB=size),
            f"The sizeInGiB of a {kind} volume must be between {lowest} and {highest}.",
        )
        for kind, size, lowest, highest in (
            ("gp3", 0, 1, 16384),
            ("io1", 3, 4, 16384),
            ("st1", 124, 125, 16384),
            ("standard", 1025, 1, 1024),
        )
    ),
]
"""Rules of the model's prose, and those of ecs-facts whose words are not known."""


@pytest.fixture
def app(cluster: Any) -> Any:
    """A client in an account with a cluster and the families that the rows name."""
    cluster.put_cluster_capacity_providers(
        cluster="default",
        capacityProviders=["FARGATE", "FARGATE_SPOT"],
        defaultCapacityProviderStrategy=[],
    )
    register(cluster, "app", container(command=SLEEP))
    register_fargate(cluster, "far")
    register(cluster, "old")
    cluster.deregister_task_definition(taskDefinition="old:1")
    register(cluster, "bound", placementConstraints=[MEMBER])
    cluster.register_task_definition(
        family="ebs",
        volumes=[{"name": "v", "configuredAtLaunch": True}],
        **of(command=SLEEP, mountPoints=[{"sourceVolume": "v", "containerPath": "/v"}]),
    )
    return cluster


@pytest.mark.parametrize(("params", "code", "message"), rows(ERRORS, INFERRED))
def test_refused(app: Any, params: dict[str, Any], code: str, message: str) -> None:
    assert refusal(app.run_task, **{"taskDefinition": "app", **params}) == (code, message)
    assert app.list_tasks()["taskArns"] == []


@pytest.mark.inferred
@pytest.mark.parametrize(("params", "message"), [pytest.param(*row[1:], id=row[0]) for row in OURS])
def test_refused_in_words_of_our_own(app: Any, params: dict[str, Any], message: str) -> None:
    assert refusal(app.run_task, **{"taskDefinition": "app", **params}) == (INVALID, message)
    assert app.list_tasks()["taskArns"] == []


@pytest.mark.documented
@pytest.mark.parametrize(
    "params",
    [
        {"count": 1, "group": "", "startedBy": "a/b-c_1", "clientToken": "~" * 64},
        constrained(*[{"type": "distinctInstance"}] * 9, MEMBER),
        {
            "placementStrategy": [
                {"type": "random"},
                {"type": "binpack", "field": "memory"},
                {"type": "spread", "field": "instanceId"},
                {"type": "spread", "field": "host"},
                {"type": "spread", "field": "attribute:ecs.availability-zone"},
            ]
        },
        network(
            subnets=[f"subnet-{n}" for n in range(16)],
            securityGroups=[f"sg-{n}" for n in range(5)],
            assignPublicIp="ENABLED",
        ),
        {**network(), "launchType": "EC2"},
        providers({"capacityProvider": "FARGATE", "weight": 1000, "base": 100000}),
        *({**network(), "platformVersion": version} for version in ("LATEST", "1.0.0", "1.4.0")),
        ebs(volumeType="standard", sizeInGiB=1024),
        ebs(sizeInGiB=None, snapshotId="snap-1"),
    ],
    ids=lambda params: str(params)[:60],
)
def test_accepted(app: Any, params: dict[str, Any]) -> None:
    started = run(app, **{"definition": "app", **rename(params)})
    assert started["desiredStatus"] == "RUNNING"


def rename(params: dict[str, Any]) -> dict[str, Any]:
    """`run` calls the definition otherwise."""
    return {{"taskDefinition": "definition"}.get(name, name): params[name] for name in params}


@pytest.mark.documented
@pytest.mark.parametrize(
    ("members", "version"),
    [
        (of(stopTimeout=5), "1.2.0"),
        (of(linuxParameters={"capabilities": {"add": ["SYS_PTRACE"]}}), "1.3.0"),
        ({"pidMode": "task"}, "1.3.0"),
        ({"ephemeralStorage": {"sizeInGiB": 30}}, "1.3.0"),
        ({"cpu": "8192", "memory": "16384"}, "1.3.0"),
        (
            {"volumes": [{"name": "v", "efsVolumeConfiguration": {"fileSystemId": "fs-1"}}]},
            "1.3.0",
        ),
    ],
    ids=str,
)
def test_old_platforms(app: Any, members: dict[str, Any], version: str) -> None:
    """What they cannot run is the model's word; the message is ecs-facts 5.1's, unverified."""
    definition = {"containerDefinitions": [container()], **FARGATE, **members}
    app.register_task_definition(family="new", **definition)
    request = {**network(), "taskDefinition": "new"}
    code, _ = refusal(app.run_task, **request, platformVersion=version)
    assert code == INCOMPATIBLE
    run(app, **rename({**request, "platformVersion": "1.4.0"}))


@pytest.mark.inferred
def test_the_definition_is_looked_at_before_the_cluster(app: Any) -> None:
    wrong: dict[str, Any] = {"taskDefinition": "none", "cluster": "none", "count": 0}
    assert refusal(app.run_task, **wrong)[1] == "TaskDefinition not found."
    wrong["taskDefinition"] = "app"
    assert refusal(app.run_task, **wrong)[1] == "Cluster not found."
    wrong["cluster"] = "default"
    assert refusal(app.run_task, **wrong)[1].startswith("Count")


def test_a_deleted_cluster(app: Any) -> None:
    app.create_cluster(clusterName="gone")
    app.delete_cluster(cluster="gone")
    assert refusal(app.run_task, taskDefinition="app", cluster="gone") == (
        "ClusterNotFoundException",
        "The referenced cluster was inactive.",
    )
