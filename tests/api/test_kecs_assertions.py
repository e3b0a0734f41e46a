"""Assertions and waits of `kecs`: what they see, when they give up, what they say then."""

from __future__ import annotations

import re
import threading
from typing import Any

import pytest
from api_steps import SLEEP
from api_steps import container
from api_steps import register
from service_steps import create

from pytest_kecs.errors import AdminError
from pytest_kecs.kecs import Kecs
from pytest_kecs.waiting import WaitError
from pytest_kecs.waiting import WaitTimeout

pytestmark = pytest.mark.ours

LONG = 600.0
"""Seconds that no test may take: a wait with this timeout has to give up by itself."""

BREAKER = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}


def script(text: str, name: str = "app", **members: Any) -> dict[str, Any]:
    return container(name, command=["sh", "-c", text], **members)


def told(error: pytest.ExceptionInfo[AssertionError], *parts: str) -> None:
    """All of this is in the error's text, in this order."""
    text, at = str(error.value), 0
    for part in parts:
        at = text.find(part, at)
        assert at >= 0, f"{part!r} is not there, or too early, in:\n{text}"
        at += len(part)


def test_the_exit_code_of_a_container_whose_task_goes_on(ecs: Any, kecs: Kecs) -> None:
    register(ecs, "two", container(command=SLEEP), script("exit 4", "init", essential=False))
    task = kecs.run_task("two")
    seen = kecs.assert_exit_code(task, 4, "init", timeout=LONG)
    assert seen.desired_status == "RUNNING"
    with pytest.raises(AssertionError) as caught:
        kecs.assert_exit_code(task, 0, "init", timeout=LONG)
    told(caught, "(two:1) did not end as asked: the container init had the exit code 4, not 0")
    with pytest.raises(ValueError, match="say which container; the task has app, init"):
        kecs.assert_exit_code(task, 4)
    with pytest.raises(WaitTimeout) as late:
        kecs.assert_exit_code(task, 0, "app", timeout=0.1)
    told(late, "was not at the end of app within 0.1 s, it is RUNNING", "hint: nobody has stopped")


def test_an_ending_that_is_wrong_already_is_not_waited_for(ecs: Any, kecs: Kecs) -> None:
    """The other container would take two minutes to stop."""
    stubborn = script("trap '' TERM; echo ready; while :; do sleep 0.1; done", "side")
    told_to = script("while [ ! -e go ]; do sleep 0.05; done; exit 4")
    register(ecs, "two", told_to, {**stubborn, "essential": False, "stopTimeout": 120})
    task = kecs.run_task("two")
    kecs.assert_log(task, "ready", "side")
    assert kecs.exec(task, "touch go", "app").exit_code == 0
    with pytest.raises(AssertionError) as caught:
        kecs.assert_stopped(task, exit_code=0, container="app", timeout=LONG)
    told(
        caught,
        "will not end as asked: the container app had the exit code 4, not 0",
        "side: RUNNING",
    )


def test_a_line_of_a_log(ecs: Any, kecs: Kecs) -> None:
    register(
        ecs,
        "two",
        script("echo ready to serve; exec sleep 1000"),
        script("echo no >&2", "side", essential=False),
    )
    task = kecs.run_task("two")
    line = kecs.assert_log(task, "ready", timeout=LONG)
    assert (line.container, line.stream, line.text) == ("app", "stdout", "ready to serve")
    assert kecs.assert_log(task, re.compile("^n.$"), "side", "stderr", timeout=LONG).text == "no"
    with pytest.raises(WaitError) as over:
        kecs.assert_log(task, "ready", "side", timeout=LONG)
    assert not isinstance(over.value, WaitTimeout)
    told(
        over,
        "did not write 'ready' in side before it stopped",
        "hint: the container app wrote it to stdout",
        "ready to serve",
        " ms",
    )
    with pytest.raises(WaitTimeout) as late:
        kecs.assert_log(task, "Ready", stream="stdout", timeout=0.1)
    told(
        late,
        "did not write 'Ready' to stdout within 0.1 s",
        "hint: but for upper and lower case, app",
    )
    ecs.stop_task(task=task.arn)
    with pytest.raises(WaitError, match=r"did not write 'done\$' before it stopped"):
        kecs.assert_log(task, re.compile("done$"), timeout=LONG)


def test_a_line_without_an_end_and_one_that_is_not_whole_yet(ecs: Any, kecs: Kecs) -> None:
    register(ecs, "app", script("printf 'name? '; exec sleep 1000"))
    task = kecs.run_task("app")
    kecs.wait_until(lambda: kecs.logs(task) == "name? ", every=0.02)
    assert kecs.assert_log(task, "name? ", timeout=0.1).text == "name? "


def test_what_no_log_can_have(ecs: Any, kecs: Kecs) -> None:
    register(ecs, "app", container(command=SLEEP))
    task = kecs.run_task("app")
    with pytest.raises(ValueError, match="has no line end in it"):
        kecs.assert_log(task, "a\nb")
    with pytest.raises(ValueError, match="stream is 'stdout' or 'stderr', not 'out'"):
        kecs.assert_log(task, "a", stream="out")
    with pytest.raises(AdminError, match="the task has no container 'web'; it has app"):
        kecs.assert_log(task, "a", "web")


def test_who_writes_without_end_is_not_read_without_end(ecs: Any, kecs: Kecs) -> None:
    register(ecs, "app", script("exec yes"))
    task = kecs.run_task("app")
    with pytest.raises(WaitTimeout):
        kecs.assert_log(task, "no", timeout=0.1)
    ecs.stop_task(task=task.arn)


def test_a_predicate_is_asked_at_each_change(ecs: Any, kecs: Kecs) -> None:
    register(ecs, "app", container(command=SLEEP))
    task = kecs.run_task("app")

    def runs() -> str | None:
        seen = kecs.describe(task)
        return seen.id if seen.last_status == "RUNNING" else None

    assert kecs.wait_until(runs, timeout=LONG, every=None) == task.id
    timer = threading.Timer(0.2, lambda: ecs.stop_task(task=task.arn))
    timer.start()
    kecs.wait_until(lambda: kecs.describe(task).last_status == "STOPPED", LONG, every=None)
    timer.join()


def test_a_predicate_about_something_else_is_asked_again(kecs: Kecs) -> None:
    came = threading.Event()
    timer = threading.Timer(0.1, came.set)
    timer.start()
    assert kecs.wait_until(came.is_set, LONG, every=0.05)
    timer.join()


def test_never(ecs: Any, kecs: Kecs) -> None:
    register(ecs, "app", container(command=SLEEP))
    task = kecs.run_task("app")
    kecs.wait_running(task)
    kecs.assert_never(lambda: kecs.describe(task).last_status != "RUNNING", within=0.1)
    timer = threading.Timer(0.1, lambda: ecs.stop_task(task=task.arn))
    timer.start()
    with pytest.raises(AssertionError) as caught:
        kecs.assert_never(lambda: kecs.describe(task).last_status == "STOPPED", LONG, every=None)
    timer.join()
    told(
        caught,
        "the condition was not to become true within 600 s, but did after ",
        " ms: it gave True",
        "what changed last:",
        "STOPPED",
    )


def test_a_deployment_that_succeeds(ecs: Any, kecs: Kecs) -> None:
    register(ecs, "app", container(command=SLEEP))
    service = create(ecs)
    done = kecs.assert_deployment(service, timeout=LONG)
    assert done["status"] == "SUCCESSFUL"
    assert kecs.assert_deployment("s")["serviceDeploymentArn"] == done["serviceDeploymentArn"]
    with pytest.raises(WaitError) as caught:
        kecs.assert_deployment("s", "STOPPED", timeout=LONG)
    told(
        caught, "service s has a deployment that will not become STOPPED any more, it is SUCCESSFUL"
    )


def test_stable_is_not_deployed(ecs: Any, kecs: Kecs) -> None:
    """After a rollback the service is stable, and the deployment has failed (row 13)."""
    register(ecs, "app", container(command=SLEEP))
    create(ecs)
    kecs.assert_deployment("s", timeout=LONG)
    register(ecs, "app", container(command=["no-such-program"]))
    ecs.update_service(service="s", taskDefinition="app", deploymentConfiguration=BREAKER)
    with pytest.raises(WaitError) as caught:
        kecs.assert_deployment("s", timeout=LONG)
    assert not isinstance(caught.value, WaitTimeout)
    told(
        caught,
        "has a deployment that will not become SUCCESSFUL any more, it is ROLLBACK_",
        "service s ACTIVE",
        "deployment failed: tasks failed to start.",
        "TaskFailedToStart",
        "executable file not found",
        "its command is not on this machine",
        " ms  service  s ",
    )
    failed = kecs.assert_deployment(
        "s", "ROLLBACK_SUCCESSFUL", reason="circuit breaker", timeout=LONG
    )
    assert failed["rollback"]["reason"] == failed["statusReason"]
    assert kecs.assert_service_stable("s", timeout=LONG)["runningCount"] == 1
    with pytest.raises(AssertionError, match="has no 'alarm' in its reason, it is ROLLBACK_SUCC"):
        kecs.assert_deployment("s", "ROLLBACK_SUCCESSFUL", reason=re.compile("alarm"))


def test_a_deployment_that_is_not_there_in_time(ecs: Any, kecs: Kecs) -> None:
    register(ecs, "app", container(command=SLEEP))
    pause = {"targetType": "PAUSE", "lifecycleStages": ["POST_SCALE_UP"]}
    create(ecs, deploymentConfiguration={"lifecycleHooks": [pause]})
    kecs.wait_until(lambda: _hooks(ecs), LONG, every=None)
    with pytest.raises(WaitTimeout) as caught:
        kecs.assert_deployment("s", timeout=0.1)
    told(
        caught,
        "was not SUCCESSFUL within 0.1 s, it is IN_PROGRESS in the stage ",
        "hint: it waits for continue_service_deployment(",
    )


def _hooks(ecs: Any) -> list[Any]:
    [brief] = ecs.list_service_deployments(service="s")["serviceDeployments"]
    arns = [brief["serviceDeploymentArn"]]
    [way] = ecs.describe_service_deployments(serviceDeploymentArns=arns)["serviceDeployments"]
    return list(way.get("lifecycleHookDetails", ()))


def test_what_no_deployment_can_be(ecs: Any, kecs: Kecs) -> None:
    register(ecs, "app", container(command=SLEEP))
    create(ecs, desiredCount=0)
    create(ecs, "external", taskDefinition=None, deploymentController={"type": "EXTERNAL"})
    for status, text in (
        ("COMPLETED", "'COMPLETED' is a rolloutState; that is SUCCESSFUL or ROLLBACK_SUCC"),
        ("SUCCEEDED", "did you mean 'SUCCESSFUL'? There are PENDING, "),
        ("x", "has the status 'x'; There are PENDING, "),
    ):
        with pytest.raises(ValueError, match=re.escape(text)):
            kecs.assert_deployment("s", status)
    with pytest.raises(WaitError, match="knows no service none"):
        kecs.assert_deployment("none")
    with pytest.raises(WaitError, match="has no deployments: its deployment controller is EXTERNA"):
        kecs.assert_deployment("external")


def test_a_service_whose_tasks_end_says_what_helps(ecs: Any, kecs: Kecs) -> None:
    register(ecs, "app", script("echo no config; exit 1"))
    create(ecs)
    kecs.assert_event("ECS Task State Change", detail={"stopCode": "EssentialContainerExited"})
    with pytest.raises(WaitTimeout) as caught:
        kecs.assert_service_stable("s", timeout=0.01)
    told(
        caught,
        "service s was not stable within 0.01 s",
        "service s ACTIVE: desired 1",
        "app: exit 1",
        "app stdout",
        "no config",
        " ms  task ",
    )
