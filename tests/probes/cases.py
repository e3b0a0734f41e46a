"""Requests made from botocore's model: for each member of each operation, what it may hold and
what it may not.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from botocore.model import ListShape
from botocore.model import MapShape
from botocore.model import Shape
from botocore.model import StringShape
from botocore.model import StructureShape
from kecs_server.operations.table import all_operations
from kecs_server.protocol.model import operation_model
from probes.world import NETWORK
from probes.world import World

Path = tuple[str | int, ...]
Structure = dict[str, Any]

ACCEPTED = "accepted"
REFUSED = "refused"
MALFORMED = "malformed"
ANY = "any"

MEGABYTE = "x" * 1_000_000
TEXTS = {
    "empty": "",
    "blank": " ",
    "one character": "x",
    "255 characters": "x" * 255,
    "256 characters": "x" * 256,
    "control characters": "a\0b\x01\n\r\t\x7f",
    "unicode": "é\u202e\U0001f40b\ufeff\u2028",
    "combining": "e\u0301" * 20,
    "markup": "<script>${jndi:x}{{7*7}}%s%n'\";--",
    "path": "../../../etc/passwd",
    "number": "-1",
    "short id": "0123abcd",
    "id of old": "01234567-89ab-cdef-0123-456789abcdef",
    "id": "0" * 32,
    "token": "bm9uZQ==",
}
REFERENCES = {
    "of another region": "arn:aws:ecs:eu-west-1:123456789012:{}",
    "of another account": "arn:aws:ecs:us-east-1:999999999999:{}",
    "of another partition": "arn:aws-cn:ecs:us-east-1:123456789012:{}",
    "of another service": "arn:aws:s3:us-east-1:123456789012:{}",
    "without account": "arn:aws:ecs:us-east-1::{}",
    "with a tail": "arn:aws:ecs:us-east-1:123456789012:{}/x/y:z",
    "without service": "arn:aws::us-east-1:123456789012:{}",
}
KINDS: dict[str | int, str] = {
    "cluster": "cluster/default",
    "clusters": "cluster/default",
    "capacityProviderArns": "capacity-provider/instances",
    "clusterArn": "cluster/default",
    "daemonArn": "daemon/default/logs",
    "daemonDeploymentArns": "daemon-deployment/default/logs/x",
    "daemonRevisionArns": "daemon-revision/default/logs/x",
    "daemonTaskDefinitionArn": "daemon-task-definition/agent:1",
    "daemonTaskDefinition": "daemon-task-definition/agent:1",
    "gateway": "gateway/front",
    "gatewayRouteArn": "gateway-route/front/x",
    "containerInstance": "container-instance/default/" + "0" * 32,
    "containerInstanceArn": "container-instance/default/" + "0" * 32,
    "containerInstances": "container-instance/default/" + "0" * 32,
    "resourceArn": "cluster/default",
    "service": "service/default/web",
    "serviceArn": "service/default/express",
    "services": "service/default/web",
    "task": "task/default/" + "0" * 32,
    "primaryTaskSet": "task-set/default/external/ecs-svc/1",
    "taskDefinition": "task-definition/app:1",
    "taskSet": "task-set/default/external/ecs-svc/1",
    "taskSets": "task-set/default/external/ecs-svc/1",
    "tasks": "task/default/" + "0" * 32,
}
"""What members of requests refer to: as an ARN that is not the caller's, it is refused."""
RESOURCES = (
    "cluster/default",
    "cluster/gone",
    "cluster/none",
    "service/default/web",
    "task/default/" + "0" * 32,
    "task-definition/app:1",
    "task-definition/app",
    "nothing",
)
NUMBERS = (-(2**31), -1, 0, 1, 2, 10, 11, 100, 101, 65535, 65536, 2**31 - 1)
DEEP = 3
"""Parts of a path beyond which strings are no references."""

SIZES = (1, 2, 11, 51, 101)
OF_ANOTHER_TYPE: dict[str, tuple[Any, ...]] = {
    "structure": (1, "text", True, [], [{}]),
    "list": (1, "text", True, {}, {"a": []}),
    "map": (1, "text", True, [], [{}]),
    "string": (1, 1.5, True, [], {}),
    "boolean": (1, 0, "true", [], {}),
    "integer": (1.5, "1", True, [], {}, 2**31, -(2**31) - 1, 1e300),
    "long": (1.5, "1", True, [], {}, 2**63, -(2**63) - 1, 1e300),
    "double": ("1", True, [], {}),
    "float": ("1", True, [], {}),
    "timestamp": ("2026-01-01T00:00:00Z", True, [], {}),
}


@dataclass(frozen=True, slots=True)
class Probe:
    """`expected`: how it must be answered, as far as the model says."""

    name: str
    body: bytes
    expected: str


@dataclass(frozen=True, slots=True)
class Place:
    """A member of a request, by its path. `required`: by the structure that it is in."""

    path: Path
    shape: Shape
    required: bool


def probes(operation: str, bases: list[Structure]) -> Iterator[Probe]:
    """:param bases: requests that are accepted; the first one is what others are made from."""
    shape = operation_model(operation).input_shape
    base = bases[0]
    yield from (Probe(f"base {base}", _json(base), ACCEPTED) for base in bases)
    for body in (b"", b"null", b"[]", b"1", b'"text"', b"{", b"{}x", b"\xff", b"[" * 5000):
        yield Probe(f"body {body[:9]!r}", body, ANY if body == b"" else MALFORMED)
    if not isinstance(shape, StructureShape):
        return
    yield Probe("unknown", _json({**base, "unknownMember": {"a": [1]}}), ACCEPTED)
    for place in _places(shape, ()):
        where = ".".join(str(part) for part in place.path)
        for name, value, expected in _values(place):
            document = _with(shape, base, place.path, value)
            yield Probe(f"{where}: {name}", _json(document), expected)
        if place.required:
            document = _with(shape, base, place.path, None)
            yield Probe(f"{where}: null", _json(document), REFUSED)
            del _parent(document, place.path)[place.path[-1]]
            yield Probe(f"{where}: missing", _json(document), REFUSED)


def _places(shape: StructureShape, path: Path, above: tuple[str, ...] = ()) -> Iterator[Place]:
    for name, member in shape.members.items():
        yield from _inside(member, (*path, name), above, required=name in shape.required_members)


def _inside(
    shape: Shape, path: Path, above: tuple[str, ...], *, required: bool = False
) -> Iterator[Place]:
    yield Place(path, shape, required)
    if shape.name in above:
        return
    above = (*above, shape.name)
    if isinstance(shape, StructureShape):
        yield from _places(shape, path, above)
    elif isinstance(shape, ListShape):
        yield from _inside(shape.member, (*path, 0), above)
    elif isinstance(shape, MapShape):
        yield from _inside(shape.value, (*path, "key"), above)


def _values(place: Place) -> Iterator[tuple[str, Any, str]]:
    shape = place.shape
    for value in OF_ANOTHER_TYPE[shape.type_name]:
        yield f"{value!r:.30}", value, MALFORMED
    if isinstance(shape, StringShape):
        yield from _strings(shape, place.path)
    elif shape.type_name in ("integer", "long"):
        limits = {shape.metadata.get(name) for name in ("min", "max")} - {None}
        for number in (*NUMBERS, *limits):
            yield str(number), number, ANY
        yield "whole float", 1.0, ANY
        yield from ((f"beyond {n}", n - 1 if n in limits else n, ANY) for n in limits)
    elif shape.type_name in ("double", "float", "timestamp"):
        yield from ((str(number), number, ANY) for number in (-1, 0, 0.05, 1e308, 253402300800))
    elif shape.type_name == "boolean":
        yield from ((str(value), value, ANY) for value in (True, False))
    elif isinstance(shape, ListShape):
        yield "empty", [], ANY
        yield "of null", [None], ANY
        item = example(shape.member, "")
        yield from ((f"{size} items", [item] * size, ANY) for size in SIZES)
    elif isinstance(shape, MapShape):
        yield "empty", {}, ANY
        yield "of null", {"a": None}, ANY
        yield "200 entries", {f"k{n}": example(shape.value, "") for n in range(200)}, ANY
        yield "odd keys", {key: example(shape.value, "") for key in TEXTS.values()}, ANY
    elif isinstance(shape, StructureShape):
        yield "empty", {}, ANY
        yield "unknown member", {**example(shape, ""), "unknownMember": 1}, ANY
        yield "all members", {n: example(m, n) for n, m in shape.members.items()}, ANY


def _strings(shape: StringShape, where: Path) -> Iterator[tuple[str, Any, str]]:
    yield "half a character", "\ud800", MALFORMED
    if shape.enum:
        yield from ((value, value, ANY) for value in shape.enum)
        yield "none of the enum", shape.enum[0] + "X", REFUSED
        yield "enum in another case", shape.enum[0].swapcase(), REFUSED
        return
    yield "megabyte", MEGABYTE, ANY
    yield from ((name, text, ANY) for name, text in TEXTS.items())
    if len(where) > DEEP:
        return
    resource = KINDS.get(where[0])
    expected = ANY if resource is None else REFUSED
    for name, form in REFERENCES.items():
        yield name, form.format(resource or RESOURCES[0]), expected
    for resource in RESOURCES:
        yield resource, f"arn:aws:ecs:us-east-1:123456789012:{resource}", ANY


_EXAMPLES: Structure = {
    "cluster": "default",
    "service": "web",
    "containerName": "app",
    "name": "app",
    "image": "busybox",
    "taskDefinition": "app",
    "subnets": ["subnet-1"],
    "networkConfiguration": NETWORK,
    "expression": "attribute:ecs.os-type == linux",
    "capacityProvider": "FARGATE",
    "key": "key",
    "value": "value",
}


def example(shape: Shape, name: str) -> Any:
    """A small value of the shape that is likely to be accepted for a member of this name."""
    if (
        name in _EXAMPLES
        and not getattr(shape, "enum", ())
        and isinstance(_EXAMPLES[name], _PYTHON[shape.type_name])
    ):
        return copy.deepcopy(_EXAMPLES[name])
    if isinstance(shape, StructureShape):
        return {inner: example(shape.members[inner], inner) for inner in shape.required_members}
    if isinstance(shape, ListShape):
        return [example(shape.member, name)]
    if isinstance(shape, MapShape):
        return {"key": example(shape.value, "")}
    if isinstance(shape, StringShape):
        if shape.enum:
            return shape.enum[0]
        return "arn:aws:iam::123456789012:role/x" if name.lower().endswith("arn") else "x"
    return {"boolean": True, "timestamp": 1.0, "double": 1.0}.get(shape.type_name, 1)


_PYTHON: dict[str, type] = {
    "structure": dict,
    "list": list,
    "map": dict,
    "string": str,
    "boolean": bool,
    "integer": int,
    "long": int,
    "double": float,
    "float": float,
    "timestamp": float,
}


def _with(shape: StructureShape, base: Structure, path: Path, value: Any) -> Structure:
    """The base with a value at the path, and examples of what must be around it."""
    document = copy.deepcopy(base)
    here: Any = document
    inner: Shape = shape
    for part, following in zip(path, (*path[1:], None), strict=True):
        inner = _member(inner, part)
        if following is None:
            _put(here, part, value)
            break
        if isinstance(here, dict) and part in here and here[part]:
            here = here[part]
        elif isinstance(here, list) and here:
            here = here[0]
        else:
            made = example(inner, str(part))
            _put(here, part, made)
            here = made
    return document


def _put(where: Any, part: str | int, value: Any) -> None:
    if isinstance(where, list):
        where[:1] = [value]
    else:
        where[part] = value


def _member(shape: Shape, part: str | int) -> Shape:
    if isinstance(shape, StructureShape):
        return shape.members[str(part)]
    if isinstance(shape, ListShape):
        return shape.member
    assert isinstance(shape, MapShape)
    return shape.value


def _parent(document: Any, path: Path) -> Any:
    for part in path[:-1]:
        document = document[part]
    return document


def _json(document: Any) -> bytes:
    return json.dumps(document).encode()


def bases_of(operation: str, world: World) -> list[Structure]:
    """Requests that the world accepts."""
    shape = operation_model(operation).input_shape
    base = _BASES.get(operation, {} if shape is None else example(shape, ""))
    return [_filled(each, world.names) for each in (base, *_MORE.get(operation, ()))]


def number_of_probes() -> int:
    """How many requests there are to all operations that the server has."""
    world = World()
    return sum(
        1
        for operation in all_operations().operations()
        for _ in probes(operation, bases_of(operation, world))
    )


def _filled(value: Any, names: Structure) -> Any:
    if isinstance(value, dict):
        return {name: _filled(inner, names) for name, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, names) for inner in value]
    return names[value[1:]] if isinstance(value, str) and value.startswith("@") else value


_TASK_SET = {"cluster": "default", "service": "external", "taskSet": "@task set"}
_BASES: dict[str, Structure] = {
    "AssociateGatewayWithCluster": {"gateway": "front", "cluster": "default"},
    "CreateDaemon": {
        "daemonName": "new",
        "daemonTaskDefinitionArn": "@daemon definition",
        "capacityProviderArns": ["@instances"],
    },
    "CreateExpressGatewayService": {
        "infrastructureRoleArn": "arn:aws:iam::123456789012:role/x",
        "executionRoleArn": "arn:aws:iam::123456789012:role/y",
        "primaryContainer": {"image": "web"},
        "serviceName": "new",
    },
    "CreateGateway": {
        "name": "new",
        "infrastructureRoleArn": "arn:aws:iam::123456789012:role/x",
        "configuration": {"hostSharedAlb": {}},
    },
    "DeleteDaemon": {"daemonArn": "@daemon"},
    "DeleteDaemonTaskDefinition": {"daemonTaskDefinition": "agent:1"},
    "DeleteExpressGatewayService": {"serviceArn": "@express"},
    "DeleteGateway": {"gateway": "@free gateway"},
    "DescribeDaemon": {"daemonArn": "@daemon"},
    "DescribeDaemonDeployments": {"daemonDeploymentArns": ["@daemon deployment"]},
    "DescribeDaemonRevisions": {"daemonRevisionArns": ["@daemon revision"]},
    "DescribeDaemonTaskDefinition": {"daemonTaskDefinition": "agent"},
    "DescribeExpressGatewayService": {"serviceArn": "@express"},
    "DescribeGateway": {"gateway": "front"},
    "DescribeGatewayResources": {"gateway": "front"},
    "DescribeGatewayRoute": {"gatewayRouteArn": "@route"},
    "DisassociateGatewayFromCluster": {"gateway": "front", "cluster": "default"},
    "RegisterDaemonTaskDefinition": {
        "family": "new",
        "containerDefinitions": [{"name": "app", "image": "busybox"}],
    },
    "UpdateDaemon": {
        "daemonArn": "@daemon",
        "daemonTaskDefinitionArn": "@daemon definition",
        "capacityProviderArns": ["@instances"],
    },
    "UpdateExpressGatewayService": {"serviceArn": "@express"},
    "UpdateGateway": {"gateway": "front"},
    "CreateCapacityProvider": {
        "name": "new",
        "autoScalingGroupProvider": {"autoScalingGroupArn": "new-group"},
    },
    "CreateCluster": {"clusterName": "new"},
    "ContinueServiceDeployment": {"serviceDeploymentArn": "@deployment", "hookId": "@hook"},
    "CreateTaskSet": {"cluster": "default", "service": "external", "taskDefinition": "app"},
    "DeleteTaskSet": {**_TASK_SET, "force": True},
    "DescribeTaskSets": {"cluster": "default", "service": "external", "taskSets": ["@task set"]},
    "UpdateServicePrimaryTaskSet": {
        "cluster": "default",
        "service": "external",
        "primaryTaskSet": "@task set",
    },
    "UpdateTaskSet": {**_TASK_SET, "scale": {"value": 50, "unit": "PERCENT"}},
    "CreateService": {"serviceName": "new", "taskDefinition": "app", "desiredCount": 1},
    "DeleteAccountSetting": {"name": "containerInsights"},
    "DeleteCapacityProvider": {"capacityProvider": "group"},
    "DeleteCluster": {"cluster": "empty"},
    "DeleteService": {"service": "web", "force": True},
    "DeleteTaskDefinitions": {"taskDefinitions": ["old:1"]},
    "DeregisterTaskDefinition": {"taskDefinition": "app:1"},
    "DescribeServiceDeployments": {"serviceDeploymentArns": ["@deployment"]},
    "DescribeServiceRevisions": {"serviceRevisionArns": ["@revision"]},
    "DescribeServices": {"services": ["web"]},
    "DescribeTasks": {"tasks": ["@task"]},
    "ExecuteCommand": {"task": "@task", "command": "ls", "interactive": True},
    "GetTaskProtection": {"cluster": "default", "tasks": ["@task"]},
    "ListDaemonDeployments": {"daemonArn": "@daemon"},
    "ListDaemons": {"clusterArn": "default"},
    "ListTagsForResource": {"resourceArn": "@cluster"},
    "PutAccountSetting": {"name": "containerInsights", "value": "enhanced"},
    "PutAccountSettingDefault": {"name": "containerInsights", "value": "enhanced"},
    "PutClusterCapacityProviders": {
        "cluster": "default",
        "capacityProviders": ["FARGATE", "group"],
        "defaultCapacityProviderStrategy": [],
    },
    "RegisterTaskDefinition": {
        "family": "new",
        "containerDefinitions": [{"name": "app", "image": "busybox", "memory": 64}],
    },
    "ListServiceDeployments": {"service": "web"},
    "ListServicesByNamespace": {"namespace": "internal"},
    "StopServiceDeployment": {"serviceDeploymentArn": "@deployment", "stopType": "ABORT"},
    "StopTask": {"task": "@task"},
    "DeleteAttributes": {"attributes": [{"name": "stack", "targetId": "@instance"}]},
    "DeregisterContainerInstance": {"containerInstance": "@instance", "force": True},
    "DescribeContainerInstances": {"containerInstances": ["@instance"]},
    "ListAttributes": {"targetType": "container-instance", "attributeName": "ecs.os-type"},
    "PutAttributes": {"attributes": [{"name": "stack", "targetId": "@instance"}]},
    "StartTask": {"taskDefinition": "app", "containerInstances": ["@instance"]},
    "SubmitAttachmentStateChanges": {
        "attachments": [{"attachmentArn": "@attachment", "status": "ATTACHED"}]
    },
    "SubmitContainerStateChange": {"task": "@remote task", "containerName": "app"},
    "SubmitTaskStateChange": {"task": "@remote task"},
    "UpdateContainerAgent": {"containerInstance": "@old agent"},
    "UpdateContainerInstancesState": {"containerInstances": ["@instance"], "status": "DRAINING"},
    "TagResource": {"resourceArn": "@cluster", "tags": [{"key": "a", "value": "b"}]},
    "UntagResource": {"resourceArn": "@cluster", "tagKeys": ["a"]},
    "UpdateCapacityProvider": {
        "name": "group",
        "autoScalingGroupProvider": {"managedDraining": "DISABLED"},
    },
    "UpdateClusterSettings": {
        "cluster": "default",
        "settings": [{"name": "containerInsights", "value": "enabled"}],
    },
    "UpdateService": {"service": "web", "desiredCount": 2},
    "UpdateTaskProtection": {
        "cluster": "default",
        "tasks": ["@task"],
        "protectionEnabled": True,
    },
}
"""By operation; `@x` is what the world calls so. For others, examples of what they require do."""

_CONNECTORS = [{"portName": "web", "filters": {"accessTypes": ["PUBLIC"]}}]
_ON_FARGATE = {
    "taskDefinition": "far",
    "launchType": "FARGATE",
    "networkConfiguration": NETWORK,
    "platformVersion": "1.4.0",
}
_BALANCER = {
    "targetGroupArn": "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/x/01",
    "containerName": "app",
    "containerPort": 80,
}
_MORE: dict[str, list[Structure]] = {
    "CreateService": [
        {"serviceName": "new", "desiredCount": 1, "gatewayConnectors": _CONNECTORS, **_ON_FARGATE},
        {
            "serviceName": "new",
            "deploymentController": {"type": "EXTERNAL"},
            "placementConstraints": [{"type": "distinctInstance"}],
            "deploymentConfiguration": {"maximumPercent": 150},
        },
        {
            "serviceName": "new",
            "desiredCount": 1,
            "taskDefinition": "far",
            "launchType": "FARGATE",
            "networkConfiguration": NETWORK,
            "deploymentController": {"type": "CODE_DEPLOY"},
            "loadBalancers": [_BALANCER],
        },
    ],
    "CreateTaskSet": [
        {
            "cluster": "default",
            "service": "external",
            "loadBalancers": [_BALANCER],
            "externalId": "x",
            "scale": {"value": 12.5},
            **_ON_FARGATE,
        }
    ],
    "RunTask": [_ON_FARGATE],
    "SubmitTaskStateChange": [
        {
            "task": "@remote task",
            "status": "RUNNING",
            "containers": [
                {
                    "containerName": "app",
                    "status": "RUNNING",
                    "runtimeId": "r",
                    "networkBindings": [
                        {"containerPortRange": "80-81", "hostPortRange": "8080-8081"},
                        {"containerPort": 82, "hostPort": 8082, "protocol": "udp"},
                    ],
                }
            ],
        }
    ],
    "UpdateCapacityProvider": [
        {
            "name": "instances",
            "cluster": "default",
            "managedInstancesProvider": {
                "infrastructureRoleArn": "arn:aws:iam::123456789012:role/x",
                "instanceLaunchTemplate": {
                    "instanceRequirements": {
                        "vCpuCount": {"min": 1},
                        "memoryMiB": {"min": 1},
                    },
                },
            },
        }
    ],
    "UpdateService": [
        {"service": "behind", "gatewayConnectors": _CONNECTORS},
        {"service": "external", "desiredCount": 3, "healthCheckGracePeriodSeconds": 5},
    ],
}
"""Requests that make an operation look at members which the first one leaves alone."""
