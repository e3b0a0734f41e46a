"""Holding, releasing and stopping single containers of a Pod."""

from __future__ import annotations

from time import monotonic

from kecs_server.engines.base import ContainerStarted
from kecs_server.engines.base import ContainerStopped
from kecs_server.engines.base import PullStopped
from kind_driver import Driver
from kind_driver import Lab
from test_kind_tasks import shell

STUBBORN = "trap '' TERM; echo ready; while :; do sleep 0.1; done"
POLITE = "trap 'exit 9' TERM; echo ready; while :; do sleep 0.1; done"


def wait_for_output(driver: Driver, task: str, *containers: str) -> None:
    for container in containers:
        while not driver.logs(task, container).stdout:
            pass


def test_containers_are_held_until_told_to_start(driver: Driver, image: str, lab: Lab) -> None:
    task = driver.provision(shell("first", "echo first", image), shell("then", "exit 4", image))
    driver.engine.start_container(task, "first")
    driver.stopped(task, "first")

    states = {
        each["name"]: each["state"] for each in lab.pod(driver, task)["status"]["containerStatuses"]
    }
    assert states["then"]["waiting"]["reason"] == "InvalidImageName"
    assert not [e for e in driver.seen(task) if getattr(e, "container", "") == "then"]
    assert not [e for e in driver.seen(task) if isinstance(e, PullStopped)]

    driver.engine.start_container(task, "then")

    assert driver.stopped(task, "then").exit_code == 4
    driver.wait(task, PullStopped)


def test_states_of_containers_count_not_the_phase_of_the_pod(
    driver: Driver, image: str, lab: Lab
) -> None:
    task = driver.provision(
        shell("app", "exec sleep 1000", image, stop_timeout=0.5), shell("held", "true", image)
    )
    driver.engine.start_container(task, "app")

    driver.started(task, "app")

    assert lab.pod(driver, task)["status"]["phase"] == "Pending"


def test_starting_and_stopping_twice_is_once(driver: Driver, image: str) -> None:
    task = driver.run(shell("app", POLITE, image))
    wait_for_output(driver, task, "app")
    driver.engine.start_container(task, "app")
    driver.engine.stop_containers(task, ["app"])
    driver.engine.stop_containers(task, ["app", "nobody"])

    assert driver.stopped(task, "app").exit_code == 9
    driver.engine.start_container(task, "app")
    driver.engine.stop_containers("0" * 32, ["app"])
    driver.engine.remove("0" * 32)
    driver.remove(task)
    assert len([e for e in driver.seen(task) if isinstance(e, ContainerStarted)]) == 1
    assert len([e for e in driver.seen(task) if isinstance(e, ContainerStopped)]) == 1


def test_one_is_stopped_while_others_run_on(driver: Driver, image: str) -> None:
    task = driver.run(shell("app", POLITE, image), shell("other", POLITE, image))
    wait_for_output(driver, task, "app", "other")

    driver.engine.stop_containers(task, ["app"])

    assert driver.stopped(task, "app").exit_code == 9
    stopped = [e for e in driver.seen(task) if isinstance(e, ContainerStopped)]
    assert [each.container for each in stopped] == ["app"]

    driver.engine.stop_containers(task, ["other"])

    assert driver.stopped(task, "other").exit_code == 9


def test_several_that_ignore_sigterm_are_killed_in_parallel(driver: Driver, image: str) -> None:
    names = ["a", "b", "c"]
    task = driver.run(*(shell(name, STUBBORN, image, stop_timeout=3) for name in names))
    wait_for_output(driver, task, *names)
    begin = monotonic()

    driver.engine.stop_containers(task, names)

    ends = [driver.stopped(task, name) for name in names]
    assert [each.exit_code for each in ends] == [137, 137, 137]
    assert all(3 <= driver.at(each) - begin < 3 + 4 for each in ends)


def test_each_has_its_own_stop_timeout_on_kind(kind: Driver, image: str) -> None:
    timeouts = {"quick": 0.5, "slow": 4.0}
    task = kind.run(
        *(shell(name, STUBBORN, image, stop_timeout=at) for name, at in timeouts.items())
    )
    wait_for_output(kind, task, *timeouts)
    begin = monotonic()

    kind.engine.stop_containers(task, list(timeouts))

    # kubelet looks at its containers every second, the lab's status is as old again at worst.
    took = {name: kind.at(kind.stopped(task, name)) - begin for name in timeouts}
    assert 0.5 <= took["quick"] < 3.5
    assert 4.0 <= took["slow"] < 7.0
    kind.remove_all()


def test_stopping_before_it_runs(driver: Driver, image: str) -> None:
    """Told to stop at once: it ends, whether it came to run or not."""
    task = driver.start(shell("app", POLITE, image, stop_timeout=1))

    driver.engine.stop_containers(task, ["app"])

    stopped = driver.stopped(task, "app")
    ran = [e for e in driver.seen(task) if isinstance(e, ContainerStarted)]
    assert ran or (stopped.exit_code, stopped.reason) == (None, None)


def test_removal_kills_what_runs(driver: Driver, image: str) -> None:
    task = driver.run(shell("app", STUBBORN, image), shell("other", STUBBORN, image))
    wait_for_output(driver, task, "app")

    driver.remove(task)

    assert driver.stopped(task, "app").exit_code == 137
    assert driver.stopped(task, "other").exit_code == 137
    assert driver.logs(task, "app").stdout == b"ready\n"


def test_removal_of_a_task_that_never_started(driver: Driver, image: str) -> None:
    task = driver.provision(shell("app", "true", image))

    driver.remove(task)

    assert not [e for e in driver.seen(task) if isinstance(e, ContainerStopped)]
