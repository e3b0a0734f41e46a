from __future__ import annotations

from typing import Any

from kecs_server.engines.base import ContainerSpec
from kecs_server.engines.base import ContainerStarted
from kecs_server.engines.base import ContainerStopped
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
from kecs_server.engines.kubernetes.tracker import Task

ID = "ab" * 16


def task(*names: str, starting: bool = True, restarts: bool = False) -> Task:
    containers = tuple(ContainerSpec(name=name, image="i", restarts=restarts) for name in names)
    made = Task(TaskSpec(task_id=ID, task_arn="arn", family="f", containers=containers))
    if starting:
        for container in made.containers.values():
            assert container.begin()
    return made


def saw(it: Task, *facts: ContainerFact, **more: Any) -> list[Any]:
    pod = {"name": it.pod, "uid": "u", "node": "n", "address": None, **more}
    return it.saw(PodFacts(containers=facts, **pod))


def running(name: str = "app") -> ContainerFact:
    return ContainerFact(name=name, state=State.RUNNING, runtime_id="r")


def exited(name: str = "app", code: int = 0) -> ContainerFact:
    return ContainerFact(name=name, state=State.EXITED, runtime_id="r", exit_code=code)


def started(name: str = "app") -> ContainerStarted:
    return ContainerStarted(task_id=ID, container=name, runtime_id="r")


def ending(reason: str) -> TaskEnding:
    return TaskEnding(task_id=ID, reason=reason)


def stopped(
    name: str = "app", code: int | None = None, reason: str | None = None
) -> ContainerStopped:
    return ContainerStopped(task_id=ID, container=name, exit_code=code, reason=reason)


def test_a_life() -> None:
    it = task("app")

    assert it.pull_begins() == [PullStarted(task_id=ID)]
    assert it.pull_begins() == []
    assert saw(it, ContainerFact(name="app", state=State.WAITING)) == []
    assert saw(it, running()) == [PullStopped(task_id=ID), started()]
    assert saw(it, running()) == []
    assert saw(it, exited(code=3)) == [stopped(code=3)]
    assert saw(it, exited(code=3)) == []
    it.removing = it.deleting = True
    assert it.is_gone("deleted") == [Removed(task_id=ID)]
    assert it.is_gone("deleted") == []


def test_a_container_that_was_never_seen_running_did_run() -> None:
    assert saw(task("app"), exited(code=3)) == [started(), stopped(code=3)]


def test_a_container_that_failed_did_not_run() -> None:
    failed = ContainerFact(name="app", state=State.FAILED, reason="CannotPull: x")

    assert saw(task("app"), failed) == [stopped(reason="CannotPull: x")]


def test_pulls_end_when_all_containers_have_their_image() -> None:
    it = task("one", "two")
    it.pull_begins()

    assert saw(it, running("one")) == [started("one")]
    assert saw(it, running("two")) == [PullStopped(task_id=ID), started("two")]


def test_held_containers_say_nothing() -> None:
    it = task("app", starting=False)

    assert saw(it, running()) == []
    assert it.is_gone("deleted") == [TaskLost(task_id=ID, reason="deleted")]


def test_the_address_is_told_when_it_is_known() -> None:
    it = task("app")

    first = saw(it, running(), address="10.0.0.1")

    assert first[0] == Provisioned(task_id=ID, address="10.0.0.1")
    assert saw(it, running(), address="10.0.0.1") == []


def test_a_lost_task_says_how_its_containers_ended_as_far_as_known() -> None:
    it = task("done", "runs", "starts")
    saw(it, exited("done", 4), running("runs"))

    seen = it.is_gone("the Pod was deleted")

    assert seen == [
        ending("the Pod was deleted"),
        stopped("starts", None, "CannotStartContainerError: the Pod was deleted"),
        stopped("runs", None, "ContainerVanishedError: the Pod was deleted; exit code unknown"),
        TaskLost(task_id=ID, reason="the Pod was deleted"),
    ]
    it.removing = it.deleting = True
    assert it.is_gone("") == [Removed(task_id=ID)]


def test_a_pod_that_the_cluster_ended_is_lost() -> None:
    it = task("app")
    saw(it, running())

    seen = saw(it, exited(code=137), lost="Evicted: memory")

    lost = TaskLost(task_id=ID, reason="Evicted: memory")
    assert seen == [ending("Evicted: memory"), stopped(code=137), lost]
    assert saw(it, exited(code=137), lost="Evicted: memory") == []


def test_a_pod_deleted_by_somebody_else_is_ending_before_its_containers_end() -> None:
    it = task("app", "starts")
    saw(it, running())

    assert saw(it, running(), is_ending=True) == [ending(reasons.POD_DELETED)]
    assert saw(it, exited(code=9), is_ending=True) == [stopped(code=9)]
    why = f"CannotStartContainerError: {reasons.POD_DELETED}"
    lost = TaskLost(task_id=ID, reason=reasons.POD_DELETED)
    assert it.is_gone(it.why_ending) == [stopped("starts", None, why), lost]


def test_an_eviction_says_why() -> None:
    it = task("app")
    saw(it, running(), disrupted="drained")

    seen = saw(it, exited(), is_ending=True, disrupted="drained")

    assert seen == [ending("drained"), stopped(code=0)]


def test_our_own_deletion_is_nobody_elses() -> None:
    it = task("app")
    saw(it, running())
    it.deleting = True

    assert saw(it, running(), is_ending=True) == []
    assert saw(it, exited(code=143), is_ending=True) == [stopped(code=143)]


def test_a_pod_that_never_ran_anything_fails_by_its_containers() -> None:
    it = task("app")

    seen = saw(it, lost="SysctlForbidden: no")

    why = "CannotStartContainerError: SysctlForbidden: no"
    assert seen == [
        stopped("app", None, why),
        TaskLost(task_id=ID, reason="SysctlForbidden: no"),
    ]


def test_a_container_is_named_without_its_runtime() -> None:
    fact = ContainerFact(name="app", state=State.RUNNING, runtime_id="containerd://ab12")

    [seen] = saw(task("app"), fact)

    assert seen.runtime_id == "ab12"


def test_a_removed_task_is_not_lost() -> None:
    it = task("killed", "unseen", "starts")
    saw(it, running("killed"), running("unseen"))
    it.removing = it.deleting = True
    it.containers["killed"].killed = True

    seen = it.is_gone("the Pod was deleted")

    assert seen[:2] == [stopped("starts"), stopped("killed", 137)]
    why = "ContainerVanishedError: the Pod was deleted; exit code unknown"
    assert seen[2] == stopped("unseen", None, why)
    assert seen[3:] == [Removed(task_id=ID)]


def test_each_life_has_a_container_of_its_own() -> None:
    it = task("app", restarts=True)
    app = it.containers["app"]
    lives = []
    while True:
        lives.append(app.place.name)
        assert saw(it, running(app.place.name)) == [started()]
        assert saw(it, exited(app.place.name, 3)) == [stopped(code=3)]
        assert saw(it, exited("app", 3)) == []  # the first one says so for ever
        if app.uses_up_its_places():
            break
        assert app.begin()
        assert not app.begin()

    assert lives == ["app", "app-r1", "app-r2", "app-r3", "app-r4", "app-r5"]
    assert not app.begin()
    (end,) = it.cannot_restart(app)
    assert end.exit_code is None
    assert end.reason.startswith("CannotStartContainerError: a Pod can start a container again 5 ")


def test_without_a_policy_there_is_one_life() -> None:
    it = task("app")
    saw(it, exited())

    assert not it.containers["app"].begin()
    assert not it.containers["app"].uses_up_its_places()


def test_held_copies_do_not_keep_pulls_from_ending() -> None:
    it = task("app", restarts=True)
    it.pull_begins()

    held = ContainerFact(name="app-r1", state=State.WAITING)
    assert saw(it, running(), held) == [PullStopped(task_id=ID), started()]
