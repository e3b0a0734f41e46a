"""Rules of what is set on a container's kernel side: ulimits, linuxParameters, sysctls, devices."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kecs_server.domain.task_definition import DAEMON_BRIDGE

Structure = dict[str, Any]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


CAPABILITIES = _words(
    "ALL AUDIT_CONTROL AUDIT_WRITE BLOCK_SUSPEND CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER "
    "FSETID IPC_LOCK IPC_OWNER KILL LEASE LINUX_IMMUTABLE MAC_ADMIN MAC_OVERRIDE MKNOD "
    "NET_ADMIN NET_BIND_SERVICE NET_BROADCAST NET_RAW SETFCAP SETGID SETPCAP SETUID SYS_ADMIN "
    "SYS_BOOT SYS_CHROOT SYS_MODULE SYS_NICE SYS_PACCT SYS_PTRACE SYS_RAWIO SYS_RESOURCE "
    "SYS_TIME SYS_TTY_CONFIG SYSLOG WAKE_ALARM"
)
DAEMON_CAPABILITIES = _words("BPF PERFMON")
"""Those that daemons can be given besides."""

TMPFS_OPTIONS = _words(
    "defaults ro rw suid nosuid dev nodev exec noexec sync async dirsync remount mand nomand "
    "atime noatime diratime nodiratime bind rbind unbindable runbindable private rprivate "
    "shared rshared slave rslave relatime norelatime strictatime nostrictatime mode uid gid "
    "nr_inodes nr_blocks mpol"
)
IPC_CONTROLS = _words(
    "kernel.msgmax kernel.msgmnb kernel.msgmni kernel.sem kernel.shmall kernel.shmmax "
    "kernel.shmmni kernel.shm_rmid_forced"
)
_UNLIMITED = -1
_FROM_ZERO = {"swappiness": 100, "maxSwap": None}
"""Members of linuxParameters that begin at 0, and where they end."""


def problems(container: Structure, definition: Structure) -> Iterator[str]:
    yield from _ulimit_problems(container)
    yield from _parameter_problems(container, definition)
    yield from _control_problems(container, definition)
    yield from resource_problems(container, definition)


def _ulimit_problems(container: Structure) -> Iterator[str]:
    names = [limit["name"] for limit in container.get("ulimits", ())]
    for limit in container.get("ulimits", ()):
        soft, hard = limit["softLimit"], limit["hardLimit"]
        if min(soft, hard) < _UNLIMITED:
            yield f"A limit of ulimit {limit['name']} is less than {_UNLIMITED}."
        if hard != _UNLIMITED and (soft == _UNLIMITED or soft > hard):
            yield f"Soft limit exceeds hard limit for ulimit {limit['name']}."
        if names.count(limit["name"]) > 1:
            yield f"The ulimit {limit['name']} is set more than once."


def _parameter_problems(container: Structure, definition: Structure) -> Iterator[str]:
    is_of_daemon = definition.get("networkMode") == DAEMON_BRIDGE
    known = CAPABILITIES | DAEMON_CAPABILITIES if is_of_daemon else CAPABILITIES
    parameters = container.get("linuxParameters", {})
    name = container["name"]
    for member, highest in _FROM_ZERO.items():
        value = parameters.get(member, 0)
        if value < 0 or (highest is not None and value > highest):
            allowed = "0 or more" if highest is None else f"between 0 and {highest}"
            yield f"The {member} of container '{name}' must be {allowed}."
    if parameters.get("sharedMemorySize", 1) < 1:
        yield f"The sharedMemorySize of container '{name}' must be 1 or more."
    for names in parameters.get("capabilities", {}).values():
        for capability in names:
            if capability not in known:
                yield f"'{capability}' is not a Linux capability that a container can be given."
    for mount in parameters.get("tmpfs", ()):
        yield from _tmpfs_problems(mount, name)
    for device in parameters.get("devices", ()):
        if not device["hostPath"]:
            yield f"A device of container '{name}' has no hostPath."


def _tmpfs_problems(mount: Structure, name: str) -> Iterator[str]:
    if not mount["containerPath"].startswith("/"):
        yield f"The containerPath of a tmpfs of container '{name}' must be absolute."
    if mount["size"] < 1:
        yield f"The size of a tmpfs of container '{name}' must be 1 or more."
    for option in mount.get("mountOptions", ()):
        if option.partition("=")[0] not in TMPFS_OPTIONS:
            yield f"'{option}' is not a mount option of a tmpfs."


def _control_problems(container: Structure, definition: Structure) -> Iterator[str]:
    for control in container.get("systemControls", ()):
        namespace = control.get("namespace", "")
        is_ipc = namespace in IPC_CONTROLS or namespace.startswith("fs.mqueue.")
        is_network = namespace.startswith("net.")
        if not (is_ipc or is_network) or not control.get("value"):
            yield f"Invalid 'systemControls' setting for container '{container['name']}'."
        if is_network and definition.get("networkMode") == "host":
            yield "Network namespace systemControls are not supported when networkMode=host."
        if is_ipc and definition.get("ipcMode") == "host":
            yield "IPC namespace systemControls are not supported when ipcMode=host."


def resource_problems(container: Structure, definition: Structure) -> Iterator[str]:
    """Of resourceRequirements, in a definition or an override of it."""
    devices = {each["deviceName"] for each in definition.get("inferenceAccelerators", ())}
    types = [each["type"] for each in container.get("resourceRequirements", ())]
    for requirement in container.get("resourceRequirements", ()):
        kind, value = requirement["type"], requirement.get("value", "")
        invalid = f"Invalid 'resourceRequirements' setting for container '{container['name']}':"
        if kind == "GPU" and bool(value) == ("sharingStrategy" in requirement):
            yield f"{invalid} a GPU needs either a value or a sharingStrategy."
        elif kind == "GPU" and value and value != "ALL" and not _is_positive(value):
            yield f"{invalid} '{value}' is not a number of GPUs."
        if kind != "GPU" and "sharingStrategy" in requirement:
            yield f"{invalid} only a GPU can have a sharingStrategy."
        if kind == "NeuronDevice" and value != "ALL":
            yield f"{invalid} the value of NeuronDevice must be ALL."
        if kind == "InferenceAccelerator" and value not in devices:
            yield f"{invalid} there is no inference accelerator '{value}'."
        if types.count(kind) > 1 and kind != "InferenceAccelerator":
            yield f"{invalid} {kind} is given more than once."


def _is_positive(text: str) -> bool:
    return text.isascii() and text.isdigit() and text.strip("0") != ""
