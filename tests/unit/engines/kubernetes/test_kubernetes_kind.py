"""The kind CLI, played by shell scripts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Thread

import pytest
from kecs_server.engines.base import EngineError
from kecs_server.engines.kubernetes.clusters import KindCluster
from kecs_server.engines.kubernetes.commands import CommandError
from kecs_server.engines.kubernetes.commands import ToolMissing
from kecs_server.engines.kubernetes.engine import KubernetesEngine
from kecs_server.engines.kubernetes.images import LocalImages
from kecs_server.engines.kubernetes.kind import DockerNotAnswering
from kecs_server.engines.kubernetes.kind import Kind
from kecs_server.engines.kubernetes.kind import list_clusters
from kecs_server.engines.kubernetes.kind import require_tools

FakeTool = Callable[[str, str], None]


def nothing(_: object) -> None:
    pass


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


def test_all_is_there(fake_tool: FakeTool, calls: Path) -> None:
    fake_tool("kind", "exit 0")

    require_tools()


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


def test_a_node_that_appears_after_the_deletion_is_deleted_too(
    kind: Kind, fake_tool: FakeTool, tmp_path: Path
) -> None:
    """`docker run`, cut off by the cancelling, may still make the node."""
    deletions, late = tmp_path / "deletions", tmp_path / "late"
    late.touch()
    fake_tool("docker", f"[ ! -e '{late}' ] || echo node; rm -f '{late}'")
    fake_tool("kind", f"[ $1 = delete ] || exit 1; echo >> '{deletions}'")

    with pytest.raises(CommandError):
        kind.create(image=None, progress=nothing, timeout=60)

    assert deletions.read_text() == "\n\n"


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
