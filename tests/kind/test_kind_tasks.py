"""Tasks as Pods: what a container is told, what it did, what it wrote."""

from __future__ import annotations

import pytest
from kecs_server.engines.base import ContainerSpec
from kecs_server.engines.base import ContainerStarted
from kecs_server.engines.base import ContainerStopped
from kecs_server.engines.base import Provisioned
from kecs_server.engines.base import PullStarted
from kecs_server.engines.base import PullStopped
from kecs_server.engines.base import Removed
from kind_driver import Driver
from kind_driver import Lab


def shell(name: str, script: str, image: str, **more: object) -> ContainerSpec:
    return ContainerSpec(name=name, image=image, command=("sh", "-c", script), **more)  # type: ignore[arg-type]


def test_a_task_runs_and_ends_with_its_exit_code(driver: Driver, image: str) -> None:
    task = driver.start(shell("app", "echo hello; echo oops >&2; exit 3", image))

    stopped = driver.stopped(task, "app")

    assert (stopped.exit_code, stopped.reason) == (3, None)
    driver.remove(task)
    known = driver.wait(task, Provisioned, lambda seen: seen.address is not None)
    kinds = [type(each) for each in driver.seen(task) if each is not known]
    assert kinds == [
        Provisioned,
        PullStarted,
        PullStopped,
        ContainerStarted,
        ContainerStopped,
        Removed,
    ]


def test_streams_are_apart_on_kind(kind: Driver, image: str) -> None:
    task = kind.start(shell("app", "echo hello; echo oops >&2", image))
    kind.stopped(task, "app")

    logs = kind.logs(task, "app")

    assert (logs.stdout, logs.stderr) == (b"hello\n", b"oops\n")
    kind.remove_all()


def test_logs_are_there_after_removal_and_gone_after_discard(driver: Driver, image: str) -> None:
    task = driver.start(shell("app", "echo hello", image), shell("other", "echo other", image))
    driver.stopped(task, "app")
    driver.stopped(task, "other")
    driver.remove(task)

    assert driver.logs(task, "app").stdout == b"hello\n"
    assert driver.logs(task, "other").stdout == b"other\n"
    driver.engine.discard(task)
    with pytest.raises(KeyError):
        driver.logs(task, "app")


def test_logs_are_there_while_the_container_runs(driver: Driver, image: str) -> None:
    task = driver.run(shell("app", "echo ready; exec sleep 1000", image, stop_timeout=0.5))
    held = driver.provision(shell("never", "true", image))

    logs = driver.logs(task, "app")
    while not logs.stdout:
        logs = driver.logs(task, "app")

    assert logs.stdout == b"ready\n"
    assert driver.logs(held, "never").stdout == b""


def test_exit_codes(driver: Driver, image: str) -> None:
    ends = {"zero": "exit 0", "three": "exit 3", "term": "kill -TERM $$", "kill": "kill -9 $$"}
    # A shell that is process 1 is spared by its own signals, so it is a child that dies of them.
    scripts = {name: f"sh -c '{script}'; exit $?" for name, script in ends.items()}
    task = driver.start(*(shell(name, script, image) for name, script in scripts.items()))

    codes = {name: driver.stopped(task, name).exit_code for name in ends}

    assert codes == {"zero": 0, "three": 3, "term": 143, "kill": 137}


def test_commands_and_variables_arrive_exactly(driver: Driver, image: str) -> None:
    """Kubernetes would expand $(HOME) and turn $$ into $."""
    app = ContainerSpec(
        name="app",
        image=image,
        entry_point=("sh", "-c", 'echo $$; for word; do echo "$word"; done; env', "$(HOME)"),
        command=("$(HOME)", "$$", "$$(HOME)", "a b", ""),
        environment={"PLAIN": "$HOME", "DOUBLE": "$$", "CALL": "$(HOME)", "LINES": "a\nb"},
    )
    task = driver.start(app)
    driver.stopped(task, "app")

    lines = driver.logs(task, "app").stdout.decode().split("\n")

    assert lines[:6] == ["1", "$(HOME)", "$$", "$$(HOME)", "a b", ""]
    assert {"PLAIN=$HOME", "DOUBLE=$$", "CALL=$(HOME)", "LINES=a", "b"} <= set(lines)


def test_nothing_of_the_cluster_leaks_into_a_container(driver: Driver, image: str) -> None:
    script = "env; ls /var/run/secrets/kubernetes.io 2>&1"
    task = driver.start(shell("app", script, image))
    driver.stopped(task, "app")

    text = driver.logs(task, "app").stdout.decode() + driver.logs(task, "app").stderr.decode()

    # KUBERNETES_* of the API's own Service are the ones that cannot be switched off.
    services = [line for line in text.splitlines() if "_SERVICE_HOST" in line]
    assert services == [line for line in services if line.startswith("KUBERNETES_")]
    assert "No such file" in text


def test_ecs_names_are_mapped_and_come_back(driver: Driver, image: str, lab: Lab) -> None:
    names = ["App", "my_app", "my-app", "x" * 255]
    task = driver.start(
        *(shell(name, f"echo {name[:9]}", image) for name in names), family="My_Family"
    )

    for name in names:
        assert driver.stopped(task, name).exit_code == 0
        assert driver.logs(task, name).stdout.decode() == f"{name[:9]}\n"
    pod = lab.pod(driver, task)
    assert {each["name"] for each in pod["spec"]["containers"]} > {"my-app"}
    assert pod["metadata"]["name"].startswith("my-family-")


def test_pods_are_bare_and_held_by_nobody(driver: Driver, image: str, lab: Lab) -> None:
    task = driver.run(shell("app", "exec sleep 1000", image, stop_timeout=0.5))

    pod = lab.pod(driver, task)

    assert "ownerReferences" not in pod["metadata"]
    assert "finalizers" not in pod["metadata"]
    assert pod["spec"]["restartPolicy"] == "Never"
    assert pod["spec"]["containers"][0]["imagePullPolicy"] == "IfNotPresent"
    assert pod["metadata"]["annotations"]["kecs/task-arn"].endswith(task)


def test_working_directory(driver: Driver, image: str) -> None:
    task = driver.start(shell("app", "pwd", image, working_directory="/tmp"))
    driver.stopped(task, "app")

    assert driver.logs(task, "app").stdout == b"/tmp\n"


def test_long_lines_and_bytes_that_are_no_text_are_kept(kind: Driver, image: str) -> None:
    script = r"head -c 40000 /dev/zero | tr '\0' x; echo; printf '\377\n'"
    task = kind.start(shell("app", script, image))
    kind.stopped(task, "app")

    assert kind.logs(task, "app").stdout == b"x" * 40000 + b"\n\xff\n"
    kind.remove_all()
