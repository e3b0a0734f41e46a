"""Secrets: seen by their container, in no Pod, gone with their task; and private registries."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from kecs_server.domain.references import RegistryLogin
from kecs_server.engines.base import ContainerSpec
from kecs_server.engines.base import ContainerStopped
from kind_driver import Driver
from kind_driver import Lab
from test_kind_containers import output
from test_kind_failures import never_started
from test_kind_tasks import shell

PORT = "5007"
PRIVATE = f"127.0.0.1:{PORT}/private/app:1"
FOLDER = "/var/kecs-registry"


def secrets_of(lab: Lab, driver: Driver, task: str) -> str:
    namespace = driver.engine._environment
    return lab.kubectl(
        "get", "secrets", "-n", namespace, "-l", f"kecs/task-id={task}", "-o", "name"
    )


def test_a_secret_is_its_containers_alone(driver: Driver, image: str, lab: Lab) -> None:
    value = "hunter2 $HOME $$ $(HOME) 'ü\n"
    script = 'printf %s "$TOKEN"; exec sleep 1000'
    task = driver.run(
        shell("app", script, image, secrets={"TOKEN": value}, stop_timeout=1),
        shell("rest", 'printf %s "$TOKEN"; exec sleep 1000', image, stop_timeout=1),
    )

    assert driver.execute(task, "app", 'printf %s "$TOKEN"') == (0, value.encode())
    assert driver.execute(task, "rest", 'printf %s "$TOKEN"') == (0, b"")
    assert "hunter2" not in json.dumps(lab.pod(driver, task))
    assert secrets_of(lab, driver, task).count("secret/") == 1
    driver.remove(task)
    assert secrets_of(lab, driver, task) == ""


def test_a_secret_outlives_a_restart(driver: Driver, image: str) -> None:
    app = shell("app", 'echo "$TOKEN"', image, secrets={"TOKEN": "hunter2"}, restarts=True)
    task = driver.start(app, shell("side", "exec sleep 1000", image, stop_timeout=1))
    first = driver.stopped(task, "app")
    driver.engine.start_container(task, "app")
    again = driver.wait(
        task, ContainerStopped, lambda seen: seen.container == "app" and seen is not first
    )
    assert (first.exit_code, again.exit_code) == (0, 0)
    assert driver.logs(task, "app").stdout == b"hunter2\nhunter2\n"


@pytest.fixture(scope="session")
def registry(
    lab: Lab, python_image: str, image: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Runs on the node, from which it is pulled; for user `me`, password `hunter2`."""
    folder = tmp_path_factory.mktemp("registry")
    archive = subprocess.run(["docker", "save", image], check=True, capture_output=True).stdout
    subprocess.run(["tar", "x", "-C", str(folder)], input=archive, check=True)
    script = Path(__file__).with_name("private_registry.py")
    (folder / "registry.py").write_text(script.read_text())
    subprocess.run(["docker", "cp", str(folder), f"{lab.node}:{FOLDER}"], check=True)
    arguments = ["/files/registry.py", "/files", PORT, "me:hunter2"]
    container = {
        "name": "registry",
        "image": python_image,
        "imagePullPolicy": "Never",
        "command": ["python3", *arguments],
        "volumeMounts": [{"name": "files", "mountPath": "/files"}],
        "readinessProbe": {
            "tcpSocket": {"host": "127.0.0.1", "port": int(PORT)},
            "periodSeconds": 1,
        },
    }
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "registry"},
        "spec": {
            "hostNetwork": True,
            "containers": [container],
            "volumes": [{"name": "files", "hostPath": {"path": FOLDER}}],
        },
    }
    manifest = folder / "pod.json"
    manifest.write_text(json.dumps(pod))
    lab.settle("default")
    lab.kubectl("apply", "-f", str(manifest))
    lab.kubectl("wait", "pod/registry", "--for=condition=Ready", "--timeout=60s")


def test_a_private_registry_asks_who_pulls(driver: Driver, registry: None) -> None:
    stranger = driver.start(ContainerSpec(name="app", image=PRIVATE, command=("true",)))
    reason = never_started(driver, stranger, "app")
    assert reason.startswith("CannotPullContainerError: ")
    assert "401 Unauthorized" in reason or "authorization failed" in reason


def test_a_wrong_password(driver: Driver, registry: None) -> None:
    login = RegistryLogin("me", "wrong")
    task = driver.start(ContainerSpec(name="app", image=PRIVATE, command=("true",), login=login))
    assert "CannotPullContainerError: " in never_started(driver, task, "app")


def test_the_credentials_of_a_private_registry(
    driver: Driver, registry: None, image: str, lab: Lab
) -> None:
    """Each engine pulls it anew: by a name of its own."""
    private = PRIVATE.replace("private", driver.engine.name)
    login = RegistryLogin("me", "hunter2")
    app = shell("app", 'echo "pulled with $TOKEN"', private, login=login, secrets={"TOKEN": "x"})
    task = driver.start(app, shell("public", "echo local", image))

    assert output(driver, task, "app") == "pulled with x\n"
    assert output(driver, task, "public") == "local\n"
    assert "hunter2" not in json.dumps(lab.pod(driver, task))
