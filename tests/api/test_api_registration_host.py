"""Ports, links and the kernel side of containers: what RegisterTaskDefinition refuses
by rules that botocore's model states in prose.

The words are this server's own: nobody is known to have written down ECS's.
"""

from __future__ import annotations

from typing import Any

import pytest
from api_steps import container
from api_steps import of
from api_steps import refusal

pytestmark = pytest.mark.inferred

Row = tuple[str, dict[str, Any], str]

CLIENT = "ClientException"
RESOURCE = "Invalid 'resourceRequirements' setting for container 'app': "
NAMED_BY_MODEL = "is not a Linux capability that a container can be given."


def mapped(*mappings: dict[str, Any], mode: str = "bridge") -> dict[str, Any]:
    return {"networkMode": mode, **of(portMappings=list(mappings))}


def limited(*limits: tuple[str, int, int]) -> dict[str, Any]:
    names = ("name", "softLimit", "hardLimit")
    return of(ulimits=[dict(zip(names, limit, strict=True)) for limit in limits])


def linux(**parameters: Any) -> dict[str, Any]:
    return of(linuxParameters=parameters)


def tmpfs(**members: Any) -> dict[str, Any]:
    return linux(tmpfs=[{"containerPath": "/t", "size": 1, **members}])


def controlled(namespace: str, value: str = "1", **task: str) -> dict[str, Any]:
    return {**task, **of(systemControls=[{"namespace": namespace, "value": value}])}


def needing(*requirements: dict[str, Any]) -> dict[str, Any]:
    return of(resourceRequirements=list(requirements))


NETWORK: list[Row] = [
    *(
        (
            f"links on {mode}",
            {"networkMode": mode, **of(links=["x"])},
            f"Links are not supported when networkMode={mode}.",
        )
        for mode in ("host", "none")
    ),
    (
        "form of a link",
        of(links=["a:b:c"]),
        "Invalid 'links' setting: 'a:b:c' is not of the form name:internalName.",
    ),
    ("link to nobody", of(links=["x:y"]), "Invalid 'links' setting. Unknown container: 'x'"),
    (
        "ports of nobody",
        mapped({"containerPort": 80}, mode="none"),
        "Port mappings are not supported when networkMode=none.",
    ),
    (
        "no port",
        mapped({"hostPort": 80}),
        "A port mapping of container 'app' has no containerPort.",
    ),
    *(
        (
            f"port {port}",
            mapped({"containerPort": port}),
            f"The containerPort {port} is not between 1 and 65535.",
        )
        for port in (0, -1, 65536)
    ),
    *(
        (
            f"host port {port}",
            mapped({"containerPort": 80, "hostPort": port}),
            f"The hostPort {port} is not between 0 and 65535.",
        )
        for port in (-1, 65536)
    ),
    *(
        (
            f"port name {name!r:.8}",
            mapped({"containerPort": 80, "name": name}),
            f"The port mapping name '{name}' is not valid.",
        )
        for name in ("", "-a", "A", "a.b", "x" * 65)
    ),
    (
        "same port names",
        {
            "containerDefinitions": [
                container("a", portMappings=[{"containerPort": 80, "name": "http"}]),
                container("b", portMappings=[{"containerPort": 81, "name": "http"}]),
            ]
        },
        "The port mapping name 'http' is already used in the task definition.",
    ),
    *(
        (
            f"range with {member}",
            mapped({"containerPortRange": "80-90", member: 80}),
            "A port mapping cannot specify both single port and port range.",
        )
        for member in ("containerPort", "hostPort")
    ),
    (
        "range on host",
        mapped({"containerPortRange": "80-90"}, mode="host"),
        "A containerPortRange is not supported when networkMode=host.",
    ),
    *(
        (
            f"range {text}",
            mapped({"containerPortRange": text}),
            f"Invalid 'containerPortRange' setting: '{text}'.",
        )
        for text in ("", "80", "90-80", "80-80", "0-80", "80-65536", "a-b", "80-90-100")
    ),
    *(
        (
            f"{text} and 80-90",
            mapped({"containerPortRange": "80-90"}, {"containerPortRange": text}),
            f"The container port {shared} is used multiple times.",
        )
        for text, shared in (("85-95", 85), ("70-80", 80), ("80-90", 80), ("82-83", 82))
    ),
    *(
        (
            f"{port} in 80-90",
            mapped({"containerPort": port}, {"containerPortRange": "80-90"}),
            f"The container port {port} is used multiple times.",
        )
        for port in (80, 85, 90)
    ),
    (
        "101 ranges",
        mapped(*({"containerPortRange": f"{n}-{n + 1}"} for n in range(1, 204, 2))),
        "A container can have at most 100 port ranges.",
    ),
    *(
        (
            f"sysctl {namespace} on host",
            controlled(namespace, **{member: "host"}),
            f"{word} namespace systemControls are not supported when {member}=host.",
        )
        for namespace, member, word in (
            ("net.ipv4.tcp_keepalive_time", "networkMode", "Network"),
            ("kernel.shmmax", "ipcMode", "IPC"),
            ("fs.mqueue.msg_max", "ipcMode", "IPC"),
        )
    ),
]

KERNEL: list[Row] = [
    *(
        (
            f"ulimit {soft} {hard}",
            limited(("nofile", soft, hard)),
            "Soft limit exceeds hard limit for ulimit nofile.",
        )
        for soft, hard in ((2, 1), (-1, 1))
    ),
    ("ulimit", limited(("core", -2, 1)), "A limit of ulimit core is less than -1."),
    (
        "same ulimits",
        limited(("core", 1, 1), ("core", 2, 2)),
        "The ulimit core is set more than once.",
    ),
    *(
        (
            f"swappiness {value}",
            linux(swappiness=value),
            "The swappiness of container 'app' must be between 0 and 100.",
        )
        for value in (-1, 101)
    ),
    ("swap", linux(maxSwap=-1), "The maxSwap of container 'app' must be 0 or more."),
    (
        "shared memory",
        linux(sharedMemorySize=0),
        "The sharedMemorySize of container 'app' must be 1 or more.",
    ),
    *(
        (f"{verb} a capability", linux(capabilities={verb: ["FLY"]}), f"'FLY' {NAMED_BY_MODEL}")
        for verb in ("add", "drop")
    ),
    (
        "path of a tmpfs",
        tmpfs(containerPath="t"),
        "The containerPath of a tmpfs of container 'app' must be absolute.",
    ),
    (
        "size of a tmpfs",
        tmpfs(size=0),
        "The size of a tmpfs of container 'app' must be 1 or more.",
    ),
    (
        "option of a tmpfs",
        tmpfs(mountOptions=["rw", "x=1"]),
        "'x=1' is not a mount option of a tmpfs.",
    ),
    (
        "device",
        linux(devices=[{"hostPath": ""}]),
        "A device of container 'app' has no hostPath.",
    ),
    *(
        (
            f"sysctl {namespace!r}={value!r}",
            controlled(namespace, value),
            "Invalid 'systemControls' setting for container 'app'.",
        )
        for namespace, value in (("vm.swappiness", "1"), ("", "1"), ("net.ipv4.ip_forward", ""))
    ),
    *(
        (
            f"GPU {requirement}",
            needing({"type": "GPU", **requirement}),
            f"{RESOURCE}a GPU needs either a value or a sharingStrategy.",
        )
        for requirement in ({}, {"value": "1", "sharingStrategy": {}})
    ),
    *(
        (
            f"{count} GPUs",
            needing({"type": "GPU", "value": count}),
            f"{RESOURCE}'{count}' is not a number of GPUs.",
        )
        for count in ("0", "x", "-1")
    ),
    (
        "GPUs twice",
        needing(*[{"type": "GPU", "value": "1"}] * 2),
        f"{RESOURCE}GPU is given more than once.",
    ),
    (
        "some Neuron devices",
        needing({"type": "NeuronDevice", "value": "1"}),
        f"{RESOURCE}the value of NeuronDevice must be ALL.",
    ),
    (
        "unknown accelerator",
        needing({"type": "InferenceAccelerator", "value": "x"}),
        f"{RESOURCE}there is no inference accelerator 'x'.",
    ),
]


@pytest.mark.parametrize(
    ("members", "message"), [pytest.param(*row[1:], id=row[0]) for row in (*NETWORK, *KERNEL)]
)
def test_refused(ecs: Any, members: dict[str, Any], message: str) -> None:
    request = {"family": "app", "containerDefinitions": [container()], **members}
    assert refusal(ecs.register_task_definition, **request) == (CLIENT, message)
    assert ecs.list_task_definition_families()["families"] == []
