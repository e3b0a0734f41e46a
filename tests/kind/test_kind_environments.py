"""How an environment begins and ends in a cluster, and what is said when it cannot."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import time
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC
from datetime import datetime
from datetime import timedelta
from pathlib import Path
from threading import Thread

import psutil
import pytest
from kecs_server.engines.base import ContainerSpec
from kecs_server.engines.base import EngineError
from kecs_server.engines.base import TaskSpec
from kecs_server.engines.kubernetes.api import connect
from kecs_server.engines.kubernetes.clusters import KindCluster
from kecs_server.engines.kubernetes.clusters import KubeconfigCluster
from kecs_server.engines.kubernetes.commands import CommandError
from kecs_server.engines.kubernetes.engine import KubernetesEngine
from kecs_server.engines.kubernetes.kind import CLUSTER_LABEL
from kecs_server.engines.kubernetes.kind import MARK
from kecs_server.engines.kubernetes.kind import Kind
from kecs_server.engines.kubernetes.labels import environment_labels
from kecs_server.engines.kubernetes.lease import build_lease
from kecs_server.engines.kubernetes.reap import reap_expired
from kecs_server.engines.kubernetes.secrets import build_secret
from kecs_server.prune import remove_environment
from kind_driver import Driver
from kind_driver import Lab
from test_kind_tasks import shell

MakeEngine = Callable[..., KubernetesEngine]


@pytest.fixture
def make_engine(tmp_path: Path) -> Iterator[MakeEngine]:
    engines: list[KubernetesEngine] = []

    def make(cluster: KindCluster | KubeconfigCluster, **more: object) -> KubernetesEngine:
        name = f"kecs-{secrets.token_hex(3)}"
        engine = KubernetesEngine(
            environment_name=name,
            directory=tmp_path,
            cluster=cluster,
            **more,  # type: ignore[arg-type]
        )
        engines.append(engine)
        return engine

    yield make
    for engine in engines:
        engine.close()


def nothing(_: object) -> None:
    pass


def kind_containers(name: str) -> str:
    label = f"label=io.x-k8s.kind.cluster={name}"
    return subprocess.check_output(["docker", "ps", "-aq", "--filter", label], text=True)


def test_progress_is_told(kind: Driver) -> None:
    name = kind.engine._environment

    assert f"creating kind cluster {name}: Preparing nodes" in kind.phases
    assert kind.phases[-2:] == ["connecting to the cluster", f"preparing the namespace {name}"]


def test_the_namespace_ends_with_the_environment(
    lab: Lab, make_engine: MakeEngine, image: str
) -> None:
    """Nothing in it holds it back: no finalizers, no container that must first be persuaded."""
    engine = make_engine(KubeconfigCluster(kubeconfig=lab.kubeconfig))
    driver = Driver(engine)
    engine.open(driver.observe, driver.progress)
    assert engine._environment in lab.namespaces()
    driver.run(shell("app", "trap '' TERM; while :; do sleep 1; done", image))

    engine.close()
    engine.close()

    assert engine._environment not in lab.namespaces()


def test_an_existing_namespace_with_a_role_is_enough_and_is_kept(
    lab: Lab, make_engine: MakeEngine, tmp_path: Path, image: str
) -> None:
    namespace = f"team-{secrets.token_hex(3)}"
    lab.kubectl("create", "namespace", namespace)
    kubeconfig = lab.user(namespace, tmp_path / "user")
    engine = make_engine(KubeconfigCluster(kubeconfig=kubeconfig, namespace=namespace))
    driver = Driver(engine)

    with pytest.raises(EngineError, match=r"may not create pods, patch pods, .*needs a Role"):
        engine.open(driver.observe, driver.progress)
    rights = "--verb=create,patch,delete,list,watch"
    lab.kubectl("create", "role", "kecs", "-n", namespace, rights, "--resource=pods")
    lab.kubectl("create", "role", "logs", "-n", namespace, "--verb=get", "--resource=pods/log")
    lab.kubectl(
        "create", "role", "connections", "-n", namespace, "--verb=get,create",
        "--resource=pods/exec,pods/portforward",
    )  # fmt: skip
    lab.kubectl(
        "create", "role", "leases", "-n", namespace, "--verb=create,patch,delete,list",
        "--resource=leases.coordination.k8s.io",
    )  # fmt: skip
    lab.kubectl(
        "create", "role", "secrets", "-n", namespace, "--verb=create,delete,deletecollection",
        "--resource=secrets",
    )  # fmt: skip
    lab.kubectl("create", "secret", "generic", "theirs", "-n", namespace)
    for role in ("kecs", "logs", "connections", "leases", "secrets"):
        account = f"--serviceaccount={namespace}:default"
        lab.kubectl("create", "rolebinding", role, "-n", namespace, f"--role={role}", account)
    lab.settle(namespace)
    engine.open(driver.observe, driver.progress)
    task = driver.start(shell("app", "echo hello; exit 3", image))
    assert driver.stopped(task, "app").exit_code == 3
    assert driver.logs(task, "app").stdout == b"hello\n"
    app = shell("app", "exec sleep 1000", image, secrets={"TOKEN": "hunter2"})
    runs = driver.run(app)
    assert driver.execute(runs, "app", "echo $TOKEN; exit 7") == (7, b"hunter2\n")
    engine.close()

    assert namespace in lab.namespaces()
    assert lab.kubectl("get", "pods,leases", "-n", namespace, "-o", "name") == ""
    left = lab.kubectl("get", "secrets", "-n", namespace, "-o", "name").split()
    assert [name for name in left if "token" not in name] == ["secret/theirs"]
    lab.kubectl("delete", "namespace", namespace, "--wait=false")


def test_without_the_right_to_create_a_namespace(
    lab: Lab, make_engine: MakeEngine, tmp_path: Path
) -> None:
    engine = make_engine(KubeconfigCluster(kubeconfig=lab.user("default", tmp_path / "user")))

    with pytest.raises(EngineError, match="may not create pods"):
        engine.open(nothing, nothing)


def test_a_namespace_that_does_not_exist(lab: Lab, make_engine: MakeEngine) -> None:
    cluster = KubeconfigCluster(kubeconfig=lab.kubeconfig, namespace="no-such")

    with pytest.raises(EngineError, match=r"in the namespace no-such: .*not found"):
        make_engine(cluster).open(nothing, nothing)


def test_what_expired_environments_left_is_reaped(lab: Lab, make_engine: MakeEngine) -> None:
    api = connect(lab.kubeconfig, None)
    names = {key: f"kecs-{secrets.token_hex(3)}" for key in ("dead", "alive", "mine")}
    long_ago = datetime.now(UTC) - timedelta(hours=1)
    for key, renewed in {"dead": long_ago, "alive": datetime.now(UTC)}.items():
        api.create_namespace(names[key], environment_labels(names[key]))
        api.put_lease(names[key], names[key], build_lease(names[key], renewed, 60))
    lab.kubectl("create", "namespace", names["mine"])
    lab.kubectl("create", "namespace", f"{names['mine']}-shared")
    shared = build_lease(names["dead"], long_ago, 60)
    api.put_lease(f"{names['mine']}-shared", names["dead"], shared)
    app = ContainerSpec(name="app", image="app", secrets={"TOKEN": "hunter2"})
    task = TaskSpec(task_id="0" * 32, task_arn="arn", family="f", containers=(app,))
    for key in ("dead", "alive"):
        secret = build_secret(task, names[key])
        assert secret is not None
        secret["metadata"]["name"] = key
        api.create_secret(f"{names['mine']}-shared", secret)
    api.close()

    assert reap_expired(lab.kubeconfig, None) == [names["dead"]]
    assert reap_expired(lab.kubeconfig, None, f"{names['mine']}-shared") == [names["dead"]]
    left = lab.kubectl("get", "secrets", "-n", f"{names['mine']}-shared", "-o", "name").split()
    assert [name for name in left if "token" not in name] == ["secret/alive"]
    lab.kubectl("wait", "namespace", names["dead"], "--for=delete", "--timeout=30s")
    assert {names["alive"], names["mine"]} <= set(lab.namespaces())
    lab.kubectl("delete", "namespace", "--wait=false", names["alive"])
    lab.kubectl("delete", "namespace", "--wait=false", names["mine"], f"{names['mine']}-shared")


def test_a_living_environment_holds_a_lease(kubernetes: Driver, lab: Lab) -> None:
    name = kubernetes.engine._environment

    assert lab.kubectl("get", "lease", name, "-n", name, "-o", "jsonpath={.spec.renewTime}")
    assert reap_expired(lab.kubeconfig, None) == []


def test_a_node_image_that_does_not_exist(make_engine: MakeEngine) -> None:
    engine = make_engine(KindCluster(image="no-such-registry.invalid/node:v0"))

    with pytest.raises(CommandError, match="could not create the cluster kecs-") as caught:
        engine.open(nothing, nothing)

    assert caught.value.exit_code == 1
    assert "no-such-registry.invalid/node:v0" in caught.value.stderr
    assert kind_containers(engine._environment) == ""


@pytest.mark.parametrize("step", ["Preparing nodes", "Starting control-plane"])
def test_closing_while_the_cluster_is_being_created(
    kind: Driver, make_engine: MakeEngine, step: str
) -> None:
    engine = make_engine(KindCluster(image=os.environ["KECS_KIND_IMAGE"]))
    closer = Thread(target=engine.close)

    def progress(phase: str) -> None:
        if step in phase:
            closer.start()

    with pytest.raises(EngineError, match=r"cancelled|closed"):
        engine.open(nothing, progress)

    closer.join()
    assert kind_containers(engine._environment) == ""


@pytest.fixture
def making(tmp_path: Path) -> Iterator[tuple[str, int]]:
    """A cluster's name and the pid of its `kind create`, which is at `docker run` and which no
    server waits for.
    """
    name = f"kecs-{secrets.token_hex(3)}"
    (tmp_path / MARK).touch()
    command = ["kind", "create", "cluster", "--name", name]
    command += ["--kubeconfig", str(tmp_path / "kubeconfig")]
    command += ["--image", os.environ["KECS_KIND_IMAGE"]]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True) as kind:
        wait_for_docker_run(name)
        yield name, kind.pid
        with suppress(ProcessLookupError):
            os.killpg(kind.pid, signal.SIGKILL)
    Kind(name, tmp_path / "kubeconfig").clear()


def wait_for_docker_run(name: str) -> None:
    label = f"{CLUSTER_LABEL}={name}"
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if label in (argv := process.cmdline()) and "run" in argv:
                    return
    raise AssertionError(f"no `docker run` with {label}")


def assert_stays_away(name: str) -> None:
    """Docker may finish a container whose `docker run` was killed."""
    for _ in range(10):
        assert kind_containers(name) == ""
        time.sleep(0.3)


@pytest.mark.parametrize("later", [0.0, 0.1, 0.2])
def test_closing_while_docker_makes_the_node(make_engine: MakeEngine, later: float) -> None:
    engine = make_engine(KindCluster(image=os.environ["KECS_KIND_IMAGE"]))

    def close() -> None:
        wait_for_docker_run(engine._environment)
        time.sleep(later)
        engine.close()

    closer = Thread(target=close)
    closer.start()
    with pytest.raises(EngineError, match=r"cancelled|closed"):
        engine.open(nothing, nothing)
    closer.join()

    assert_stays_away(engine._environment)


@pytest.mark.parametrize("is_kind_killed", [False, True])
def test_prune_while_docker_makes_the_node(
    making: tuple[str, int], tmp_path: Path, *, is_kind_killed: bool
) -> None:
    name, pid = making
    if is_kind_killed:
        os.killpg(pid, signal.SIGKILL)

    done, _ = remove_environment(tmp_path, name)

    assert f"{name}: deleted its kind cluster" in done
    assert_stays_away(name)


def test_a_creation_that_takes_too_long(kind: Driver, make_engine: MakeEngine) -> None:
    engine = make_engine(KindCluster(image=os.environ["KECS_KIND_IMAGE"], timeout=2))

    with pytest.raises(CommandError, match="gave up after 2 seconds"):
        engine.open(nothing, nothing)

    assert kind_containers(engine._environment) == ""


def test_a_cluster_of_the_same_name_is_not_touched(kind: Driver, tmp_path: Path) -> None:
    name = kind.engine._environment
    cluster = KindCluster(image=os.environ["KECS_KIND_IMAGE"])
    engine = KubernetesEngine(environment_name=name, directory=tmp_path, cluster=cluster)

    with pytest.raises(EngineError, match="exists already"):
        engine.open(nothing, nothing)
    engine.close()

    assert kind_containers(name)
