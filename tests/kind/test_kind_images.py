"""Images of the local Docker, in the cluster when needed."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Iterator

import pytest
from kecs_server.engines.base import ContainerSpec
from kind_driver import Driver


@pytest.fixture
def tag() -> Iterator[str]:
    """A name for an image that exists nowhere else; with the tag that Kubernetes always pulls."""
    name = f"kecs-test/built-{secrets.token_hex(3)}:latest"
    yield name
    subprocess.run(["docker", "image", "rm", "--force", name], check=True, capture_output=True)


def build(tag: str, base: str, says: str) -> None:
    dockerfile = f'FROM {base}\nENTRYPOINT ["sh", "-c", "echo {says} $0 $@"]\nCMD ["from", "image"]'
    command = ["docker", "build", "--quiet", "--tag", tag, "-"]
    subprocess.run(command, input=dockerfile.encode(), check=True, capture_output=True)


def output(driver: Driver, **container: object) -> bytes:
    task = driver.start(ContainerSpec(name="app", **container))  # type: ignore[arg-type]
    assert driver.stopped(task, "app").exit_code == 0
    return driver.logs(task, "app").stdout


def test_local_images_are_loaded_when_needed_and_again_when_rebuilt(
    kind: Driver, image: str, tag: str
) -> None:
    build(tag, image, "first")
    assert output(kind, image=tag) == b"first from image\n"

    build(tag, image, "second")
    assert output(kind, image=tag) == b"second from image\n"
    kind.remove_all()


def test_command_and_entry_point_override_those_of_the_image(
    kind: Driver, image: str, tag: str
) -> None:
    build(tag, image, "image")

    assert output(kind, image=tag, command=("my", "words")) == b"image my words\n"
    assert output(kind, image=tag, entry_point=("echo", "mine")) == b"mine\n"
    assert output(kind, image=tag, entry_point=("echo",), command=("both",)) == b"both\n"
    kind.remove_all()


def test_an_image_without_a_command(kind: Driver, image: str, tag: str) -> None:
    """ECS' agent gets the same answer from Docker: there is nothing to run."""
    command = ["docker", "build", "--quiet", "--tag", tag, "-"]
    dockerfile = f"FROM {image}\nENTRYPOINT []\nCMD []".encode()
    subprocess.run(command, input=dockerfile, check=True, capture_output=True)
    task = kind.start(ContainerSpec(name="app", image=tag))

    stopped = kind.stopped(task, "app")

    assert stopped.exit_code is None
    assert str(stopped.reason).startswith("CannotCreateContainerError: ")
    kind.remove_all()
