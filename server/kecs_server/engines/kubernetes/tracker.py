"""What is known of one task: facts and orders in, observations out. Pure, not thread-safe."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from dataclasses import field
from enum import StrEnum

from kecs_server.engines.base import ContainerSpec
from kecs_server.engines.base import ContainerStarted
from kecs_server.engines.base import ContainerStopped
from kecs_server.engines.base import Observation
from kecs_server.engines.base import Provisioned
from kecs_server.engines.base import PullStarted
from kecs_server.engines.base import PullStopped
from kecs_server.engines.base import Removed
from kecs_server.engines.base import TaskEnding
from kecs_server.engines.base import TaskLost
from kecs_server.engines.base import TaskSpec
from kecs_server.engines.kubernetes import reasons
from kecs_server.engines.kubernetes.facts import ContainerFact
from kecs_server.engines.kubernetes.facts import PodFacts
from kecs_server.engines.kubernetes.facts import State
from kecs_server.engines.kubernetes.labels import pod_name
from kecs_server.engines.kubernetes.pods import Place
from kecs_server.engines.kubernetes.pods import places

KILLED = 137


class Phase(StrEnum):
    HELD = "held"
    STARTING = "starting"
    RUNNING = "running"
    STOPPED = "stopped"


@dataclass(slots=True, kw_only=True, eq=False)
class Container:
    """One container of a task, in the `life` that it has now: each has a place in the Pod."""

    spec: ContainerSpec
    places: tuple[Place, ...]
    life: int = 0
    phase: Phase = Phase.HELD
    runtime_id: str = ""
    image_id: str = ""
    prepared: bool = False
    """Its image was seen to."""
    released: bool = False
    """The API server may have been told its real image."""
    stop_asked: bool = False
    killed: bool = False
    """SIGKILL was sent to it, so it cannot have ended in another way without being seen."""

    listens: set[int] = field(default_factory=set)
    """TCP ports at which this life was seen to listen."""

    @property
    def place(self) -> Place:
        return self.places[self.life]

    @property
    def is_starting(self) -> bool:
        """Told to start, and neither seen running nor given up."""
        return self.phase is Phase.STARTING

    def uses_up_its_places(self) -> bool:
        """It has ended in its last place."""
        is_last = self.life + 1 == len(self.places)
        return self.spec.restarts and self.phase is Phase.STOPPED and is_last

    def begin(self) -> bool:
        """It is to start, for the first time or again. False: it has already."""
        if self.phase is Phase.STOPPED and self.life + 1 < len(self.places):
            self.life += 1
            self.runtime_id = ""
            self.listens = set()
            self.prepared = self.released = self.stop_asked = self.killed = False
        elif self.phase is not Phase.HELD:
            return False
        self.phase = Phase.STARTING
        return True


@dataclass(slots=True, eq=False)
class Task:
    """A task and its Pod, from `provision` until `discard`."""

    spec: TaskSpec
    pod: str = field(init=False)
    containers: dict[str, Container] = field(init=False)
    uid: str = ""
    node: str = ""
    address: str = ""
    disrupted: str | None = None
    no_room: str | None = None
    """Why no node takes the Pod now."""
    created: bool = False
    """The API server took the Pod: from now on it is missed when it is not there."""
    has_secret: bool = False
    """There may be a Secret of the Pod's name."""
    services: list[str] = field(default_factory=list)
    """Names of Services that there may be."""
    deleting: bool = False
    """We asked for the Pod's deletion: its end is no loss."""
    ending: bool = False
    """Somebody asked for the Pod's deletion."""
    told_ending: bool = False
    """That it was not us has been observed."""
    removing: bool = False
    gone: bool = False
    removed: bool = False
    pull_started: bool = False
    pull_stopped: bool = False

    def __post_init__(self) -> None:
        where = places(self.spec)
        self.pod = pod_name(self.spec)
        self.containers = {
            each.name: Container(spec=each, places=where[each.name])
            for each in self.spec.containers
        }

    @property
    def id(self) -> str:
        return self.spec.task_id

    def in_phase(self, *phases: Phase) -> list[Container]:
        return [each for each in self.containers.values() if each.phase in phases]

    def pull_begins(self) -> list[Observation]:
        if self.pull_started:
            return []
        self.pull_started = True
        return [PullStarted(task_id=self.id)]

    def saw(self, facts: PodFacts) -> list[Observation]:
        """The Pod as it is now."""
        self.uid, self.node = facts.uid, facts.node
        self.disrupted, self.no_room = facts.disrupted, facts.no_room
        seen: list[Observation] = []
        if facts.address and facts.address != self.address:
            self.address = facts.address
            seen.append(Provisioned(task_id=self.id, address=self.address))
        if facts.is_ending:
            seen += self._ends(self.why_ending)
        elif facts.lost is not None and self.in_phase(Phase.RUNNING):
            seen += self._ends(facts.lost)
        now = {each.place.name: each for each in self.containers.values()}
        for fact in facts.containers:
            if fact.name in now:
                seen += self._saw_container(now[fact.name], fact)
        if facts.lost is not None and not self.gone and not self.deleting:
            seen += self.is_gone(facts.lost)
        return seen

    @property
    def why_ending(self) -> str:
        """Why the Pod is or was deleted, for the case that it was not by us."""
        return self.disrupted or reasons.POD_DELETED

    def cannot_restart(self, container: Container) -> list[Observation]:
        """The container was told to start again and has no place left."""
        return self._stopped(container, None, reasons.cannot_restart(container.life))

    def never_ran(self, container: Container, reason: str | None) -> list[Observation]:
        """The container was told to start and never will."""
        if container.phase is not Phase.STARTING:
            return []
        return self._stopped(container, None, reason)

    def is_gone(self, why: str) -> list[Observation]:
        """The Pod is gone, or will never be. `why` is for the case that nobody asked for it."""
        if self.gone:
            return self._removed()
        seen = self._ends(why) if self.in_phase(Phase.RUNNING) else []
        self.gone = True
        never_ran = None if self.deleting else f"CannotStartContainerError: {why}"
        for container in self.in_phase(Phase.STARTING):
            seen += self._stopped(container, None, never_ran)
        for container in self.in_phase(Phase.RUNNING):
            if container.killed:
                seen += self._stopped(container, KILLED, None)
            else:
                seen += self._stopped(container, None, reasons.unknown_exit(why))
        if not self.deleting:
            seen.append(TaskLost(task_id=self.id, reason=why))
        return seen + self._removed()

    def _ends(self, why: str) -> list[Observation]:
        """The Pod's containers are about to end; `why` if that was not asked for by us."""
        if self.deleting or self.gone or self.told_ending:
            return []
        self.told_ending = True
        return [TaskEnding(task_id=self.id, reason=why)]

    def _removed(self) -> list[Observation]:
        if not self.removing or self.removed:
            return []
        self.removed = True
        return [Removed(task_id=self.id)]

    def _saw_container(self, container: Container, fact: ContainerFact) -> list[Observation]:
        if container.phase in (Phase.HELD, Phase.STOPPED) or fact.state is State.WAITING:
            return []
        container.runtime_id = fact.runtime_id or container.runtime_id
        container.image_id = fact.image_id or container.image_id
        if fact.state is State.FAILED:
            return self._stopped(container, None, fact.reason)
        seen = self._started(container)
        if fact.state is State.EXITED:
            seen += self._stopped(container, fact.exit_code, fact.reason)
        return seen

    def _started(self, container: Container) -> list[Observation]:
        if container.phase is not Phase.STARTING:
            return []
        container.phase = Phase.RUNNING
        started = ContainerStarted(
            task_id=self.id,
            container=container.spec.name,
            runtime_id=container.runtime_id.rpartition("/")[2],  # containerd://...
            image_digest=container.image_id.rpartition("@")[2] or None,  # NAME@sha256:...
        )
        return [*self._pull_ends(), started]

    def _stopped(
        self, container: Container, exit_code: int | None, reason: str | None
    ) -> list[Observation]:
        container.phase = Phase.STOPPED
        stopped = ContainerStopped(
            task_id=self.id, container=container.spec.name, exit_code=exit_code, reason=reason
        )
        return [*self._pull_ends(), stopped]

    def _pull_ends(self) -> list[Observation]:
        """Pulls have ended when no container waits for its image any more."""
        if not self.pull_started or self.pull_stopped:
            return []
        if self.in_phase(Phase.HELD, Phase.STARTING):
            return []
        self.pull_stopped = True
        return [PullStopped(task_id=self.id)]


def named(task: Task, containers: Iterable[str]) -> list[Container]:
    """The containers of these names; unknown names are passed over."""
    return [task.containers[name] for name in containers if name in task.containers]
