"""Raw Pod -> what its containers are doing. Pure.

Only container states are read, never the Pod's phase or readiness: a Pod with a held container is
Pending, one with an ended container is not Ready.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import replace
from enum import StrEnum
from typing import Any

from kecs_server.engines.kubernetes import reasons
from kecs_server.engines.kubernetes.pods import GATE_IMAGE

_PULL_FAILURES = {
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "ErrImageNeverPull",
    "ImageInspectError",
    "RegistryUnavailable",
    "SignatureValidationFailed",
}
_TRANSIENT = "failed to sync"
"""kubelet of a busy node has not read the Pod's Secret yet: it tries again soon."""

_CREATE_FAILURES = {"CreateContainerConfigError", "CreateContainerError"}
_START_FAILURES = {"RunContainerError", "StartError", "ContainerCannotRun"}


class State(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    EXITED = "exited"
    FAILED = "failed"
    """It never ran, and will not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerFact:
    """What a Pod's status says of one container; `name` is its name in the Pod."""

    name: str
    state: State
    runtime_id: str = ""
    image_id: str = ""
    exit_code: int | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PodFacts:
    """What a Pod says. `lost` is why the cluster ended it (evicted, past its deadline);
    `disrupted`, why it is about to (its node is drained), where the cluster says so;
    `is_ending`: somebody asked for its deletion, which takes `grace` seconds; `no_room`: why no
    node takes it.
    """

    name: str
    uid: str
    node: str
    address: str | None
    containers: tuple[ContainerFact, ...]
    lost: str | None = None
    disrupted: str | None = None
    no_room: str | None = None
    is_ending: bool = False
    grace: float = 0.0


def read_pod(pod: Mapping[str, Any]) -> PodFacts:
    """:param pod: as the API sends it, one that `pods.build_pod` described."""
    status = pod.get("status", {})
    return PodFacts(
        name=pod["metadata"]["name"],
        uid=pod["metadata"]["uid"],
        node=pod["spec"].get("nodeName", ""),
        address=status.get("podIP"),
        containers=tuple(_container(each) for each in status.get("containerStatuses") or ()),
        lost=_lost(status),
        disrupted=_disrupted(status),
        no_room=_condition(status, "PodScheduled", "False"),
        is_ending="deletionTimestamp" in pod["metadata"],
        grace=pod["metadata"].get("deletionGracePeriodSeconds") or 0.0,
    )


def _lost(status: Mapping[str, Any]) -> str | None:
    """kubelet gives the Pod itself a reason only when it ended it: Evicted, DeadlineExceeded,
    NodeAffinity, Preempting, NodeLost, OutOfcpu ...
    """
    reason = status.get("reason")
    if not reason:
        return None
    message = status.get("message")
    if reason == "Evicted" and message:
        return reasons.evicted(message)
    return f"{reason}: {message}" if message else str(reason)


def _disrupted(status: Mapping[str, Any]) -> str | None:
    message = _condition(status, "DisruptionTarget", "True")
    return None if message is None else reasons.evicted(message)


def _condition(status: Mapping[str, Any], kind: str, value: str) -> str | None:
    """What a condition says, if it is there and has this value."""
    for condition in status.get("conditions") or ():
        if condition["type"] == kind and condition["status"] == value:
            return str(condition.get("message") or condition.get("reason") or kind)
    return None


def _container(status: Mapping[str, Any]) -> ContainerFact:
    name = status["name"]
    state = status.get("state") or {}
    ended = state.get("terminated") or (status.get("lastState") or {}).get("terminated")
    if "running" in state:
        runtime_id = str(status.get("containerID", ""))
        image_id = str(status.get("imageID", ""))
        return ContainerFact(
            name=name, state=State.RUNNING, runtime_id=runtime_id, image_id=image_id
        )
    if ended is not None:
        return replace(_ended(ended, name), image_id=str(status.get("imageID", "")))
    return _waiting(state.get("waiting") or {}, status, name)


def _ended(ended: Mapping[str, Any], name: str) -> ContainerFact:
    runtime_id = str(ended.get("containerID", ""))
    why = ended.get("reason")
    exit_code: int | None = ended["exitCode"]
    reason: str | None = None
    state = State.EXITED
    if why in _START_FAILURES:
        # kubelet makes up the exit code 128.
        state, exit_code = State.FAILED, None
        reason = reasons.cannot_start(ended.get("message", why))
    elif why == "OOMKilled":
        reason = reasons.OUT_OF_MEMORY
    elif why == "ContainerStatusUnknown":
        exit_code, reason = None, reasons.unknown_exit(ended.get("message", why))
    return ContainerFact(
        name=name,
        state=state,
        runtime_id=runtime_id,
        exit_code=exit_code,
        reason=reason,
    )


def _waiting(waiting: Mapping[str, Any], status: Mapping[str, Any], name: str) -> ContainerFact:
    why, message = waiting.get("reason", ""), waiting.get("message", "")
    # Just after the release the image is the real one and the message still the gate's.
    is_held = GATE_IMAGE in message or status.get("image") == GATE_IMAGE
    reason = None if is_held else _failure(why, message or why)
    state = State.WAITING if reason is None else State.FAILED
    return ContainerFact(name=name, state=state, reason=reason)


def _failure(why: str, message: str) -> str | None:
    if why in _PULL_FAILURES:
        return reasons.cannot_pull(message)
    if why in _CREATE_FAILURES and not message.startswith(_TRANSIENT):
        return reasons.cannot_create(message)
    if why in _START_FAILURES:
        return reasons.cannot_start(message)
    return None
