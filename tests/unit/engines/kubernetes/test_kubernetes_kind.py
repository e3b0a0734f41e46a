"""The kind CLI, played by shell scripts."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from time import monotonic
from time import sleep

import psutil
import pytest
from kecs_server import prune
from kecs_server.engines.base import EngineError
from kecs_server.engines.kubernetes.clusters import KindCluster
from kecs_server.engines.kubernetes.commands import CommandError
from kecs_server.engines.kubernetes.commands import ToolMissing
from kecs_server.engines.kubernetes.engine import KubernetesEngine
from kecs_server.engines.kubernetes.images import LocalImages
from kecs_server.engines.kubernetes.kind import MARK
from kecs_server.engines.kubernetes.kind import DockerNotAnswering
from kecs_server.engines.kubernetes.kind import Kind
from kecs_server.engines.kubernetes.kind import list_clusters

FakeTool = Callable[[str, str], None]
TIMEOUT = 10.0

# As kind does, it runs docker as a child that does not inherit standard error.
CREATES_A_NODE = """
case $1 in
create)
    echo ' • Preparing nodes' >&2
    docker run --label io.x-k8s.kind.cluster=$4 node >/dev/null 2>&1
    sleep 60;;
delete) docker rm;;
esac
"""


def nothing(_: object) -> None:
    pass


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kecs_server.engines.kubernetes.kind._QUIET_SECONDS", 0.1)


@pytest.fixture
def calls(tmp_path: Path, fake_tool: FakeTool) -> Path:
    """A docker that answers and knows no containers; each call is a line of this file."""
    calls = tmp_path / "calls"
    calls.touch()
    fake_tool("docker", f'echo "docker $*" >> "{calls}"')
    return calls


@pytest.fixture
def kind(tmp_path: Path) -> Kind:
    return Kind("kecs-1a2b3c", tmp_path / "kubeconfig")


@pytest.fixture
def rare(tmp_path: Path) -> Kind:
    """As `kind`, with a name that no test beside this one has: processes are found by it."""
    return Kind(f"kecs-{secrets.token_hex(3)}", tmp_path / "kubeconfig")


def open_engine(tmp_path: Path) -> None:
    engine = KubernetesEngine(
        environment_name="kecs-1a2b3c", directory=tmp_path, cluster=KindCluster()
    )
    engine.open(nothing, nothing)


def test_kind_is_missing(tmp_path: Path, calls: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))

    with pytest.raises(ToolMissing, match=r"`kind` was not found on PATH .*install kind"):
        open_engine(tmp_path)


def test_docker_is_missing(
    tmp_path: Path, fake_tool: FakeTool, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_tool("kind", "exit 0")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))

    with pytest.raises(ToolMissing, match=r"`docker` was not found on PATH .*install Docker"):
        open_engine(tmp_path)


def test_docker_does_not_answer(tmp_path: Path, fake_tool: FakeTool) -> None:
    fake_tool("kind", "exit 0")
    fake_tool("docker", "echo 'Cannot connect to the Docker daemon at unix://x.' >&2; exit 1")

    with pytest.raises(DockerNotAnswering, match="Cannot connect to the Docker daemon") as caught:
        open_engine(tmp_path)

    assert "Start Docker" in str(caught.value)


def test_all_is_there(kind: Kind, fake_tool: FakeTool, calls: Path) -> None:
    fake_tool("kind", "exit 0")

    kind.check()


def test_closing_while_docker_hangs(tmp_path: Path, fake_tool: FakeTool) -> None:
    asked = tmp_path / "asked"
    fake_tool("kind", f"touch '{tmp_path}/kind-was-called'")
    fake_tool("docker", f"touch '{asked}'; sleep 60; :")
    engine = KubernetesEngine(environment_name="kecs-1", directory=tmp_path, cluster=KindCluster())
    errors: list[EngineError] = []

    def open_it() -> None:
        try:
            engine.open(nothing, nothing)
        except EngineError as error:
            errors.append(error)

    opener = Thread(target=open_it)
    opener.start()
    wait_for(asked)
    began = monotonic()
    engine.close()
    opener.join()

    assert monotonic() - began < 2
    assert "cancelled" in str(errors[0])
    assert not (tmp_path / "kind-was-called").exists()


def test_docker_hangs(kind: Kind, fake_tool: FakeTool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kecs_server.engines.kubernetes.kind._DOCKER_SECONDS", 0.2)
    fake_tool("kind", "exit 0")
    fake_tool("docker", "sleep 60; :")

    with pytest.raises(DockerNotAnswering, match=r"no answer within 0\.2 seconds"):
        kind.check()


def test_creation_tells_its_steps(kind: Kind, fake_tool: FakeTool, calls: Path) -> None:
    steps: list[str] = []
    fake_tool(
        "kind",
        f"""echo "kind $*" >> "{calls}"; exec >&2
        echo 'Creating cluster "kecs-1a2b3c" ...'
        echo ' • Preparing nodes 📦   ...'
        echo ' ✓ Preparing nodes 📦 '""",
    )

    kind.create(image="node:1", progress=steps.append, timeout=60)

    assert steps == ["creating kind cluster kecs-1a2b3c: Preparing nodes"]
    assert calls.read_text() == (
        f"kind create cluster --name kecs-1a2b3c --kubeconfig {kind.kubeconfig} --wait 60s "
        "--image node:1\n"
    )


def test_a_failed_creation_says_what_kind_said_and_leaves_nothing(
    kind: Kind, fake_tool: FakeTool, calls: Path
) -> None:
    fake_tool(
        "kind", f'echo "kind $1" >> "{calls}"; [ $1 = delete ] || {{ echo "no room" >&2; exit 7; }}'
    )

    with pytest.raises(CommandError, match="could not create the cluster kecs-1a2b3c") as caught:
        kind.create(image=None, progress=nothing, timeout=60)

    error = caught.value
    assert (error.exit_code, error.stderr) == (7, "no room")
    assert error.command[:3] == ("kind", "create", "cluster")
    assert "no room" in str(error)
    assert calls.read_text().splitlines()[:2] == ["kind create", "kind delete"]


def test_a_creation_that_hangs_is_given_up(kind: Kind, fake_tool: FakeTool, calls: Path) -> None:
    fake_tool("kind", f'echo "kind $1" >> "{calls}"; [ $1 = delete ] || sleep 60')

    with pytest.raises(CommandError, match=r"gave up after 0\.2 seconds") as caught:
        kind.create(image=None, progress=nothing, timeout=0.2)

    assert caught.value.exit_code is None
    assert "kind delete" in calls.read_text()


def test_a_creation_is_cancelled(kind: Kind, fake_tool: FakeTool, calls: Path) -> None:
    fake_tool("kind", """[ $1 = delete ] || { echo ' • Waiting' >&2; sleep 60; }""")

    with pytest.raises(CommandError, match="cancelled"):
        kind.create(image=None, progress=lambda _: kind.cancel(), timeout=60)


def test_a_creation_after_its_cancelling_does_not_begin(
    kind: Kind, fake_tool: FakeTool, calls: Path
) -> None:
    fake_tool("kind", f'echo "kind $1" >> "{calls}"')
    kind.cancel()

    with pytest.raises(CommandError, match="cancelled"):
        kind.create(image=None, progress=nothing, timeout=60)

    assert "kind create" not in calls.read_text()


@pytest.fixture
def node(tmp_path: Path, fake_tool: FakeTool) -> Iterator[Path]:
    """A docker whose daemon makes the node, this file, a while after it was told to; whether the
    command waits for it or is killed meanwhile.
    """
    running, node = tmp_path / "running", tmp_path / "node"
    fake_tool(
        "docker",
        f"""case $1 in
        run) touch '{running}'; until [ -e '{node}' ]; do sleep 0.05; done;;
        rm) rm -f '{node}';;
        esac""",
    )

    def make_node() -> None:
        wait_for(running)
        sleep(0.7)
        node.touch()

    daemon = Thread(target=make_node)
    daemon.start()
    yield node
    daemon.join()


def wait_for(path: Path) -> None:
    deadline = monotonic() + TIMEOUT
    while not path.exists():
        assert monotonic() < deadline, f"{path} did not appear"
        sleep(0.01)


def test_a_cancelled_creation_waits_for_the_node_and_deletes_it(
    rare: Kind, fake_tool: FakeTool, tmp_path: Path, node: Path
) -> None:
    """Docker makes the node even if `docker run` is killed, at a time that nobody knows."""
    fake_tool("kind", CREATES_A_NODE)

    def cancel() -> None:
        wait_for(tmp_path / "running")
        rare.cancel()

    canceller = Thread(target=cancel)
    canceller.start()
    with pytest.raises(CommandError, match="cancelled"):
        rare.create(image=None, progress=nothing, timeout=60)
    canceller.join()

    sleep(0.8)
    assert not node.exists()


def test_a_cancelled_creation_kills_a_pull(kind: Kind, fake_tool: FakeTool, tmp_path: Path) -> None:
    pulling = tmp_path / "pulling"
    fake_tool("docker", f"echo $$ > '{pulling}.new'; mv '{pulling}.new' '{pulling}'; exec sleep 60")
    fake_tool("kind", "[ $1 = delete ] || docker pull node >/dev/null 2>&1")

    def cancel() -> None:
        wait_for(pulling)
        kind.cancel()

    canceller = Thread(target=cancel)
    canceller.start()
    with pytest.raises(CommandError, match="cancelled"):
        kind.create(image=None, progress=nothing, timeout=60)
    canceller.join()

    with contextlib.suppress(psutil.NoSuchProcess):
        assert psutil.Process(int(pulling.read_text())).status() == psutil.STATUS_ZOMBIE


def test_a_node_that_appears_after_the_deletion_is_deleted_too(
    kind: Kind, fake_tool: FakeTool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A `docker run` that somebody killed leaves the node to Docker."""
    monkeypatch.setattr("kecs_server.engines.kubernetes.kind._QUIET_SECONDS", 1.0)
    node = tmp_path / "node"
    fake_tool(
        "kind",
        f"""case $1 in
        create) (sleep 0.4; touch '{node}') >/dev/null 2>&1 & exit 1;;
        delete) rm -f '{node}';;
        esac""",
    )

    with pytest.raises(CommandError):
        kind.create(image=None, progress=nothing, timeout=60)

    sleep(0.6)
    assert not node.exists()


def test_a_mark_is_left_before_the_creation(
    kind: Kind, fake_tool: FakeTool, calls: Path, tmp_path: Path
) -> None:
    fake_tool("kind", f"ls '{tmp_path}' >> '{calls}'")

    kind.create(image=None, progress=nothing, timeout=60)

    assert MARK in calls.read_text().splitlines()


def test_prune_ends_a_creation_that_goes_on(
    rare: Kind, fake_tool: FakeTool, tmp_path: Path, node: Path
) -> None:
    """As after `kill -9` of the server; creations of others are theirs."""
    fake_tool("kind", f'case "$6" in */other) sleep 60;; esac{CREATES_A_NODE}')
    (tmp_path / MARK).touch()
    command = ["kind", "create", "cluster", "--name", rare.name, "--kubeconfig"]
    creations = [
        subprocess.Popen([*command, str(path)], stderr=subprocess.DEVNULL, start_new_session=True)
        for path in (tmp_path / "other", rare.kubeconfig)
    ]
    other, ours = creations
    try:
        wait_for(tmp_path / "running")
        done, _ = prune.remove_environment(tmp_path, rare.name)

        assert ours.wait(TIMEOUT) < 0
        assert other.poll() is None
        assert not node.exists()
        assert f"{rare.name}: deleted its kind cluster" in done
    finally:
        for each in creations:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(each.pid, signal.SIGKILL)
            each.wait(TIMEOUT)


def test_a_cluster_of_that_name_exists(tmp_path: Path, fake_tool: FakeTool, calls: Path) -> None:
    fake_tool("docker", "echo kecs-1a2b3c-control-plane")
    fake_tool("kind", f'echo "kind $1" >> "{calls}"')

    with pytest.raises(EngineError, match="kecs-1a2b3c exists already"):
        open_engine(tmp_path)

    assert calls.read_text() == ""


def test_closing_an_engine_that_never_opened(tmp_path: Path, calls: Path) -> None:
    engine = KubernetesEngine(environment_name="kecs-1", directory=tmp_path, cluster=KindCluster())

    engine.close()
    engine.close()

    with pytest.raises(EngineError, match="closed"):
        engine.open(nothing, nothing)
    assert calls.read_text() == ""


def test_closing_while_opening(tmp_path: Path, fake_tool: FakeTool, calls: Path) -> None:
    fake_tool(
        "kind",
        f"""echo "kind $1" >> "{calls}"
        [ $1 = delete ] || {{ echo ' • Waiting' >&2; sleep 60; }}""",
    )
    engine = KubernetesEngine(environment_name="kecs-1", directory=tmp_path, cluster=KindCluster())
    closer = Thread(target=engine.close)

    def progress(phase: str) -> None:
        if phase.endswith("Waiting"):
            closer.start()

    with pytest.raises(CommandError, match="cancelled"):
        engine.open(nothing, progress)

    closer.join()
    assert "kind delete" in calls.read_text()


def test_listing_clusters(fake_tool: FakeTool) -> None:
    fake_tool("kind", "echo kecs-1; echo other")

    assert list_clusters() == ["kecs-1", "other"]


def test_images_are_loaded_once_and_again_when_rebuilt(tmp_path: Path, fake_tool: FakeTool) -> None:
    image_id = tmp_path / "id"
    fake_tool("docker", f"cat '{image_id}'")
    loaded: list[str] = []
    images = LocalImages(loaded.append)

    images.ensure("app:dev")
    assert loaded == []
    image_id.write_text("sha256:1\n")
    images.ensure("app:dev")
    images.ensure("app:dev")
    assert loaded == ["app:dev"]
    image_id.write_text("sha256:2\n")
    images.ensure("app:dev")
    assert loaded == ["app:dev", "app:dev"]


def test_an_image_that_could_not_be_loaded_is_tried_again(fake_tool: FakeTool) -> None:
    fake_tool("docker", "echo sha256:1")
    attempts: list[str] = []

    def load(image: str) -> None:
        attempts.append(image)
        raise CommandError("no", command=["kind"], exit_code=1, stderr="")

    images = LocalImages(load)
    for _ in range(2):
        with pytest.raises(CommandError):
            images.ensure("app:dev")

    assert len(attempts) == 2
