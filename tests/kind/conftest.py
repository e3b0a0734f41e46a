"""Tests on a real kind cluster, one for each worker. `make test-kind` runs them."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from kecs_server.engines.kubernetes.clusters import KindCluster
from kecs_server.engines.kubernetes.clusters import KubeconfigCluster
from kecs_server.engines.kubernetes.engine import KubernetesEngine
from kind_driver import Driver
from kind_driver import Gateway
from kind_driver import Lab


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    ours = [item for item in items if Path(__file__).parent in item.path.parents]
    if ours and not os.environ.get("KECS_KIND_IMAGE"):
        raise pytest.UsageError(
            "tests/kind needs Docker, kind and a node image named by KECS_KIND_IMAGE "
            "(with KECS_TEST_IMAGE, a busybox, to run in it): use `make test-kind`."
        )


@pytest.fixture(scope="session")
def image() -> str:
    """A busybox image that the local Docker has."""
    return os.environ["KECS_TEST_IMAGE"]


@pytest.fixture(scope="session")
def python_image(lab: Lab) -> str:
    """An image with Python 3, in the cluster."""
    image = os.environ["KECS_TEST_PYTHON_IMAGE"]
    lab.load(image)
    return image


@pytest.fixture(scope="session")
def kind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    """The engine with a kind cluster of its own."""
    name = f"kecs-{secrets.token_hex(3)}"
    directory = tmp_path_factory.mktemp(name)
    cluster = KindCluster(image=os.environ["KECS_KIND_IMAGE"])
    engine = KubernetesEngine(environment_name=name, directory=directory, cluster=cluster)
    driver = Driver(engine)
    try:
        engine.open(driver.observe, driver.progress)
        yield driver
    finally:
        engine.close()
    assert name not in subprocess.check_output(["kind", "get", "clusters"], text=True).split()


@pytest.fixture(scope="session")
def lab(kind: Driver, image: str, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """The cluster itself, seen with kubectl's eyes."""
    engine = kind.engine
    lab = Lab(name=engine._environment, kubeconfig=engine._directory / "kubeconfig")
    lab.load(image)
    return lab


@pytest.fixture(scope="session")
def kubernetes(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    """The engine on the same cluster, as any that a kubeconfig reaches."""
    name = f"kecs-{secrets.token_hex(3)}"
    cluster = KubeconfigCluster(kubeconfig=lab.kubeconfig, context=f"kind-{lab.name}")
    engine = KubernetesEngine(
        environment_name=name, directory=tmp_path_factory.mktemp(name), cluster=cluster
    )
    driver = Driver(engine)
    try:
        engine.open(driver.observe, driver.progress)
        yield driver
    finally:
        engine.close()
    assert name not in lab.namespaces()


@pytest.fixture(params=["kind", "kubernetes"])
def driver(request: pytest.FixtureRequest) -> Iterator[Driver]:
    """Both ways to have a cluster."""
    driver: Driver = request.getfixturevalue(request.param)
    yield driver
    driver.remove_all()


@pytest.fixture
def gateway(lab: Lab) -> Iterator[Gateway]:
    """A way to the cluster that can be shut."""
    server = lab.kubectl(
        "config", "view", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}"
    )
    host, port = server.removeprefix("https://").split(":")
    gateway = Gateway(host, int(port))
    yield gateway
    gateway.close()


@pytest.fixture
def remote(gateway: Gateway, lab: Lab, tmp_path: Path) -> Iterator[Driver]:
    """The engine on a cluster behind the gateway; it gives up after a few seconds."""
    kubeconfig = tmp_path / "kubeconfig"
    server = f"https://127.0.0.1:{gateway.port}"
    kubeconfig.write_text(re.sub("https://.*", server, lab.kubeconfig.read_text()))
    engine = KubernetesEngine(
        environment_name=f"kecs-{secrets.token_hex(3)}",
        directory=tmp_path,
        cluster=KubeconfigCluster(kubeconfig=kubeconfig),
        unreachable_after=3,
    )
    driver = Driver(engine)
    engine.open(driver.observe, driver.progress)
    yield driver
    engine.close()
