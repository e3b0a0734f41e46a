"""What kubelet says, in the words of ECS (ecs-agent's error names; `Name: message`)."""

from __future__ import annotations

import re

OUT_OF_MEMORY = "OutOfMemoryError: Container killed due to memory usage"
POD_DELETED = "The Pod was deleted by somebody else than this environment"

_ERROR_NAME = re.compile(r"[A-Z]\w*(Error|Exception): ")
_RPC = re.compile(r"^(rpc error: code = \w+ desc = )+")
_UNPACK = re.compile(r'^failed to pull and unpack image "[^"]*": ')
_RESOLVE = re.compile(r'^failed to resolve reference "([^"]*)": ')
_CREATE_TASK = re.compile(r"^failed to create containerd task: ")
_GENERATED = re.compile(r"^failed to generate container \"\w+\" spec: ")


def cannot_pull(message: str) -> str:
    """kubelet: `rpc error: code = Unknown desc = failed to pull and unpack image "x": failed to
    resolve reference "x": y`; the agent: `pull image manifest has been retried 1 time(s): failed
    to resolve ref x: y`.
    """
    text = _UNPACK.sub("", _RPC.sub("", message))
    text, resolved = _RESOLVE.subn(r"failed to resolve ref \1: ", text)
    if resolved:
        text = f"pull image manifest has been retried 1 time(s): {text}"
    return f"CannotPullContainerError: {text}"


def cannot_load(error: Exception) -> str:
    """A local image did not get into the cluster."""
    return f"CannotPullContainerError: {' '.join(str(error).split())}"


def pull_refused(text: str) -> str:
    """The text of a test that asked for a failing pull; it may name the error itself."""
    return text if _ERROR_NAME.match(text) else f"CannotPullContainerError: {text}"


def cannot_create(message: str) -> str:
    """The container could not be created: the image has no command, for instance."""
    text = _GENERATED.sub("", _RPC.sub("", message))
    return f"CannotCreateContainerError: Error response from daemon: {text}"


def cannot_have(obstacle: str) -> str:
    """A Pod cannot have what the container is to get."""
    return f"CannotCreateContainerError: {obstacle}"


def cannot_restart(times: int) -> str:
    """All copies of the container have been used."""
    return (
        f"CannotStartContainerError: a Pod can start a container again {times} times, "
        "and it was as often"
    )


def no_room(condition: str) -> str:
    """The scheduler found no node, in words like `0/1 nodes are available: 1 Insufficient cpu.`"""
    lacking = "RESOURCE" if "Insufficient" in condition else "no node takes the Pod"
    for word, name in (
        ("memory", "RESOURCE:MEMORY"),
        ("cpu", "RESOURCE:CPU"),
        ("nvidia.com/gpu", "RESOURCE:GPU"),
    ):
        if f"Insufficient {word}" in condition:
            lacking = name
    return f"{lacking}: {condition}"


def cannot_start(message: str) -> str:
    """The container's first process could not be started: a command that does not exist."""
    text = _CREATE_TASK.sub("failed to create task for container: ", _RPC.sub("", message))
    return f"CannotStartContainerError: Error response from daemon: {text}"


def evicted(message: str) -> str:
    """Its node is drained, say, or short of memory."""
    return f"The Pod was evicted: {message}"


def unknown_exit(why: str) -> str:
    """The container is gone and nobody saw how it ended."""
    return f"ContainerVanishedError: {why}; exit code unknown"
