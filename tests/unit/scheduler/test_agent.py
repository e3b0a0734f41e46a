"""A task's life on a manual clock: what the engine is told, and what the task says of it."""

from __future__ import annotations

import pytest
from kecs_server.domain.ports import Binding
from kecs_server.domain.ports import port_mappings
from kecs_server.domain.task import want_stopped
from kecs_server.engines.base import PortsBound
from kecs_server.engines.base import Provisioned
from kecs_server.engines.base import TaskEnding
from kecs_server.engines.base import TaskLost
from kecs_server.scheduler.agent import LinesRouted
from kecs_server.scheduler.agent import Provision
from kecs_server.scheduler.agent import Remove
from kecs_server.scheduler.agent import StartContainer
from kecs_server.scheduler.agent import StopContainers
from lives import Life
from lives import after


def test_one_container_on_a_bridge() -> None:
    life = Life({"name": "a"})
    assert life.state == "PENDING"
    assert life.step() == [Provision()]
    assert life.step() == []
    assert life.see(Provisioned) == [StartContainer("a")]
    assert life.started("a") == []
    assert (life.state, life.task.started_at) == ("RUNNING", life.now)
    assert life.stopped("a", 3) == [Remove()]
    assert (life.state, life.task.stop_code) == ("STOPPED", "EssentialContainerExited")
    assert life.task.stopped_reason == "Essential container in task exited"
    assert life.codes == {"a": 3}
    assert life.step() == []


def test_states_of_awsvpc() -> None:
    life = Life({"name": "a"}, awsvpc=True)
    assert (life.state, life.task.version) == ("PROVISIONING", 1)
    life.step()
    life.see(Provisioned, address="10.0.0.1")
    assert (life.state, life.task.version) == ("PENDING", 2)
    life.started("a")
    assert (life.state, life.task.version) == ("RUNNING", 4)
    want_stopped(life.task, "UserInitiated", "why", life.now)
    assert life.step() == [StopContainers(("a",))]
    assert (life.state, life.task.version) == ("STOPPING", 5)
    life.stopped("a", 143)
    assert (life.state, life.task.version) == ("STOPPED", 6)
    states = [text for _, text in life.task.news if text.isupper()]
    assert states == ["PENDING", "RUNNING", "STOPPING", "DEPROVISIONING", "STOPPED"]


def test_essential_takes_the_others_along() -> None:
    life = Life({"name": "a"}, {"name": "b", "essential": False})
    life.run("a", "b")
    assert life.stopped("a", 1) == [StopContainers(("b",))]
    assert life.state == "STOPPING"
    assert life.stopped("b", 143) == [Remove()]
    assert life.codes == {"a": 1, "b": 143}


def test_one_that_is_not_essential_ends_without_consequence() -> None:
    life = Life({"name": "a"}, {"name": "b", "essential": False})
    life.run("a", "b")
    assert life.stopped("b", 9) == []
    assert life.state == "RUNNING"


def test_one_that_ends_before_the_others_have_started() -> None:
    life = Life({"name": "a"}, {"name": "b", "essential": False})
    life.step()
    life.see(Provisioned)
    life.started("b")
    life.stopped("b", 0)
    assert life.state == "PENDING"
    life.started("a")
    assert life.state == "RUNNING"


@pytest.mark.parametrize(
    ("condition", "code", "starts"),
    [
        ("START", None, True),
        ("COMPLETE", 5, True),
        ("SUCCESS", 0, True),
        ("SUCCESS", 5, False),
    ],
)
def test_dependencies(condition: str, code: int | None, starts: bool) -> None:  # noqa: FBT001
    life = Life(
        {"name": "a", "dependsOn": after("b", condition)}, {"name": "b", "essential": False}
    )
    life.step()
    assert life.see(Provisioned) == [StartContainer("b")]
    commands = life.started("b")
    if code is not None:
        assert commands == []
        commands = life.stopped("b", code)
    assert commands == ([StartContainer("a")] if starts else [Remove()])
    if not starts:
        assert (life.state, life.task.stop_code) == ("STOPPED", "TaskFailedToStart")
        assert life.codes == {"a": None, "b": 5}
        reason = life.task.container("a").reason
        assert reason is not None
        assert reason.startswith("CannotStartContainerError: dependency graph")


def test_stop_in_reverse_order() -> None:
    life = Life(
        {"name": "a"},
        {"name": "b", "dependsOn": after("a", "START")},
        {"name": "c", "dependsOn": after("b", "START")},
    )
    life.run("a", "b", "c")
    want_stopped(life.task, "UserInitiated", "why", life.now)
    assert life.step() == [StopContainers(("c",))]
    assert life.stopped("c", 0) == [StopContainers(("b",))]
    assert life.stopped("b", 0) == [StopContainers(("a",))]
    assert life.stopped("a", 0) == [Remove()]


def test_a_router_starts_first_and_stops_when_it_has_all_lines() -> None:
    logging = {"logConfiguration": {"logDriver": "awsfirelens"}}
    life = Life(
        {"name": "a", **logging},
        {"name": "b", **logging},
        {"name": "c"},
        {"name": "router", "firelensConfiguration": {"type": "fluentbit"}},
    )
    life.step()
    assert life.see(Provisioned) == [StartContainer("c"), StartContainer("router")]
    assert life.started("router") == [StartContainer("a"), StartContainer("b")]
    for name in ("c", "a", "b"):
        life.started(name)
    want_stopped(life.task, "UserInitiated", "why", life.now)
    assert life.step() == [StopContainers(("a", "b", "c"))]
    for name in ("a", "b", "c"):
        assert life.stopped(name, 0) == []
    assert life.see(LinesRouted, container="a") == []
    assert life.see(LinesRouted, container="b") == [StopContainers(("router",))]
    assert life.stopped("router", 0) == [Remove()]


def test_a_router_that_waits_for_who_logs_to_it() -> None:
    """As its definition says, however far that is; nobody waits for ever."""
    logging = {"logConfiguration": {"logDriver": "awsfirelens"}}
    router = {"name": "router", "firelensConfiguration": {"type": "fluentbit"}}
    life = Life(
        {"name": "a", **logging},
        {"name": "b", "dependsOn": after("a", "START")},
        {**router, "dependsOn": after("b", "START")},
    )
    life.step()
    assert life.see(Provisioned) == [StartContainer("a")]
    assert life.started("a") == [StartContainer("b")]
    assert life.started("b") == [StartContainer("router")]


def test_stop_before_anything() -> None:
    life = Life({"name": "a"})
    want_stopped(life.task, "UserInitiated", "why", life.now)
    assert life.step() == []
    assert (life.state, life.task.started_at, life.codes) == ("STOPPED", None, {"a": None})


def test_stop_while_it_is_provisioned() -> None:
    life = Life({"name": "a"})
    life.step()
    want_stopped(life.task, "UserInitiated", "why", life.now)
    assert life.step() == [Remove()]
    assert life.see(Provisioned) == []
    assert life.state == "STOPPED"


def test_stop_while_it_starts() -> None:
    life = Life({"name": "a"})
    life.step()
    life.see(Provisioned)
    want_stopped(life.task, "UserInitiated", "why", life.now)
    assert life.step() == [StopContainers(("a",))]
    assert life.started("a") == []
    assert life.stopped("a", 143) == [Remove()]
    assert life.task.started_at is None


@pytest.mark.parametrize(
    ("awsvpc", "reason"),
    [(False, "Task failed to start"), (True, "CannotPullContainerError: no such image")],
)
def test_a_container_that_cannot_start(awsvpc: bool, reason: str) -> None:  # noqa: FBT001
    life = Life({"name": "a"}, awsvpc=awsvpc)
    life.step()
    life.see(Provisioned)
    life.stopped("a", None, "CannotPullContainerError: no such image")
    assert (life.state, life.task.stop_code) == ("STOPPED", "TaskFailedToStart")
    assert life.task.stopped_reason == reason
    assert life.task.container("a").reason == "CannotPullContainerError: no such image"


def test_a_sandbox_that_is_lost() -> None:
    life = Life({"name": "a"})
    life.run("a")
    life.stopped("a", None, "gone")
    life = Life({"name": "a"})
    life.run("a")
    assert life.see(TaskLost, reason="node lost") == [Remove()]
    assert (life.state, life.task.stop_code) == ("STOPPED", "TerminationNotice")
    assert life.task.stopped_reason == "node lost"


def test_a_sandbox_that_somebody_else_ends() -> None:
    """Its containers are not told to stop once more, and say how they ended."""
    restarting = {"restartPolicy": {"enabled": True, "restartAttemptPeriod": 1}}
    life = Life({"name": "a", **restarting}, {"name": "b", "dependsOn": after("a", "START")})
    life.run("a", "b")
    assert life.see(TaskEnding, reason="deleted") == []
    assert (life.state, life.task.desired_status) == ("STOPPING", "STOPPED")
    assert life.stopped("a", 9) == []
    assert life.stopped("b", 137) == [Remove()]
    assert life.see(TaskLost, reason="gone") == []
    assert (life.state, life.codes) == ("STOPPED", {"a": 9, "b": 137})
    assert life.task.stop_code == "TerminationNotice"
    assert life.task.stopped_reason == "deleted"


def test_a_sandbox_that_somebody_else_ends_before_it_runs() -> None:
    life = Life({"name": "a"}, {"name": "b", "dependsOn": after("a", "START")})
    life.step()
    life.see(Provisioned)
    assert life.see(TaskEnding, reason="deleted") == []
    assert life.stopped("a", None, "CannotStartContainerError: deleted") == [Remove()]
    assert (life.state, life.task.stop_code) == ("STOPPED", "TaskFailedToStart")
    assert life.task.stopped_reason == "deleted"


def test_an_end_from_outside_does_not_replace_the_first_cause() -> None:
    life = Life({"name": "a"})
    life.run("a")
    want_stopped(life.task, "UserInitiated", "first", life.now)
    assert life.step() == [StopContainers(("a",))]
    life.see(TaskEnding, reason="deleted")
    life.stopped("a", 0)
    assert (life.task.stop_code, life.task.stopped_reason) == ("UserInitiated", "first")


def test_the_first_cause_stays() -> None:
    life = Life({"name": "a"})
    life.run("a")
    want_stopped(life.task, "UserInitiated", "first", life.now)
    want_stopped(life.task, "ServiceSchedulerInitiated", "second", life.now)
    life.step()
    life.stopped("a", 0)
    assert (life.task.stop_code, life.task.stopped_reason) == ("UserInitiated", "first")


def test_what_comes_too_late_changes_nothing() -> None:
    life = Life({"name": "a"})
    life.run("a")
    life.stopped("a", 0)
    before = (life.state, life.codes, life.task.version)
    assert life.stopped("a", 9) == []
    assert life.see(TaskLost, reason="late") == []
    assert (life.state, life.codes, life.task.version) == before


def test_one_that_is_not_essential_may_fail_to_start() -> None:
    life = Life({"name": "app"}, {"name": "side", "essential": False})
    life.step()
    life.see(Provisioned)
    life.stopped("side", None, "CannotPullContainerError: no")
    assert life.task.desired_status == "RUNNING"
    life.started("app")
    assert life.state == "RUNNING"
    assert life.task.container("side").reason == "CannotPullContainerError: no"


def test_nothing_runs_while_only_those_have_failed_that_are_not_essential() -> None:
    life = Life({"name": "app"}, {"name": "side", "essential": False})
    life.step()
    life.see(Provisioned)
    life.stopped("side", None, "CannotPullContainerError: no")
    assert life.state == "PENDING"
    life.stopped("app", None, "CannotPullContainerError: no")
    assert life.state == "STOPPED"
    assert life.task.stop_code == "TaskFailedToStart"


def test_what_depends_on_one_that_failed_to_start_ends_the_task() -> None:
    life = Life(
        {"name": "app", "dependsOn": after("side", "START")}, {"name": "side", "essential": False}
    )
    life.step()
    life.see(Provisioned)
    life.stopped("side", None, "CannotPullContainerError: no")
    assert life.state == "STOPPED"
    assert life.task.stop_code == "TaskFailedToStart"
    reason = life.task.container("app").reason or ""
    assert reason.startswith("CannotStartContainerError: ")
    assert "because dependency will never start" in reason


def test_the_interface_of_an_awsvpc_task() -> None:
    """Its address may become known later than the sandbox (ecs-facts 6.2, 6.4)."""
    life = Life({"name": "a"}, awsvpc=True)
    interface = life.task.network_interface
    assert interface is not None
    assert interface.status == "PRECREATED"
    life.step()
    assert interface.status == "ATTACHING"
    assert life.see(Provisioned) == [StartContainer("a")]
    assert (interface.status, life.task.connectivity_at) == ("ATTACHING", None)
    life.see(Provisioned, address="10.0.0.1")
    assert (interface.status, interface.private_address) == ("ATTACHED", "10.0.0.1")
    attached_at = life.task.connectivity_at
    assert attached_at is not None
    life.see(Provisioned, address="10.0.0.1")
    assert life.task.connectivity_at == attached_at
    life.started("a")
    life.stopped("a")
    assert interface.status == "DELETED"


def test_bindings_are_known_before_the_container_runs_and_stay() -> None:
    life = Life({"name": "a", "portMappings": [{"containerPort": 80}]})
    [mapping] = port_mappings(life.task.container("a").definition)
    bindings = (Binding(mapping=mapping, host_port=40000),)
    life.step()
    life.see(Provisioned)
    life.see(PortsBound, container="a", bindings=bindings)
    assert life.task.container("a").bindings == bindings
    assert life.state == "PENDING"
    life.started("a")
    life.stopped("a")
    assert life.task.container("a").bindings == bindings
