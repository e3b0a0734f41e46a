"""Nothing of a spec is silently ignored: the engine reads a member, or the README names it."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest
from kecs_server.engines import base
from kecs_server.engines.process import engine
from kecs_server.operations.effects import STORED

WIRE_NAMES = {
    "cpu": "cpu",
    "memory_reservation": "memoryReservation",
    "hosts": "extraHosts",
    "dns_servers": "dnsServers",
    "dns_search_domains": "dnsSearchDomains",
    "privileged": "privileged",
    "read_only_root": "readonlyRootFilesystem",
    "capabilities_added": "capabilities",
    "capabilities_dropped": "capabilities",
    "shared_memory": "sharedMemorySize",
    "system_controls": "systemControls",
    "architecture": "runtimePlatform",
    "ephemeral_storage": "ephemeralStorage",
    "gpus": "resourceRequirements",
    "security_options": "dockerSecurityOptions",
    "pid_mode": "pidMode",
    "ipc_mode": "ipcMode",
    "read_only": "readOnly",
    "size": "size",
    "options": "mountOptions",
}
FOR_OTHERS = {
    "task_arn",  # names for a person, in a cluster
    "family",
    "labels",
    "docker_labels",  # the metadata endpoint shows them
    "image",  # what stands for it is in the command already
    "network_mode",  # the host's network, whatever it says
    "login",  # nothing is pulled
    "node",  # of a cluster
    "ports",  # a program binds them itself; the server leads to them
    "names",  # the server leads to them
}
SPECS = (
    base.ContainerSpec,
    base.TaskSpec,
    base.Volume,
    base.Mount,
    base.Tmpfs,
    base.Ulimit,
)


def source() -> str:
    return "".join(path.read_text() for path in Path(engine.__file__).parent.glob("*.py"))


@pytest.mark.parametrize(
    "name", sorted({f"{spec.__name__}.{f.name}" for spec in SPECS for f in fields(spec)})
)
def test_a_member_is_read_or_named(name: str) -> None:
    member = name.partition(".")[2]
    owner = {"ContainerSpec": "spec", "TaskSpec": "spec", "Ulimit": "limit"}
    variable = owner.get(name.partition(".")[0], name.partition(".")[0].lower())
    is_read = re.search(rf"\b{variable}\.{member}\b", source())
    listed = {m for row in STORED if row.engine in ("", "process") for m in row.members}
    assert is_read or WIRE_NAMES.get(member) in listed or member in FOR_OTHERS
