"""One behaviour suite for every engine: KECS_TEST_ENGINES names those to run it on, and
PYTEST_KECS_NETNS=true gives tasks of the process engine networks of their own.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

import pytest

from pytest_kecs.isolation import environment_of

Register = Callable[..., str]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    names = os.environ.get("KECS_TEST_ENGINES", "process").split(",")
    metafunc.parametrize(
        "engine",
        [pytest.param(name, marks=pytest.mark.kecs(engine=name)) for name in names],
    )


@pytest.fixture(autouse=True)
def _on_engine(engine: str) -> None:
    """Every test of the suite runs once for each engine, whether it looks at its name or not."""


@pytest.fixture
def network(engine: str, pytestconfig: pytest.Config) -> str:
    """Whose network a task is in: the `machine`'s, its own (`task`), or its `Pod`'s."""
    if engine != "process":
        return "Pod"
    return "task" if environment_of(pytestconfig).settings.netns else "machine"


@pytest.fixture
def image() -> str:
    """An image that has a POSIX shell; the process engine runs its commands on the host."""
    return os.environ.get("KECS_TEST_IMAGE", "busybox:1.36")


@pytest.fixture
def python(engine: str) -> tuple[str, str]:
    """An image with Python, and the name of its interpreter."""
    if engine == "process":
        return "python:3", sys.executable
    return os.environ["KECS_TEST_PYTHON_IMAGE"], "python3"


@pytest.fixture
def register(ecs_client: Any, image: str) -> Register:
    """Register a task definition of one shell script for each container; returns its family.

    Values may be scripts, or container definitions whose `command` is a script.
    """

    def register(family: str = "app", /, task: Any = None, **containers: Any) -> str:
        definitions = []
        for name, given in containers.items():
            definition = {"command": given} if isinstance(given, str) else dict(given)
            if isinstance(definition.get("command"), str):
                definition["command"] = ["sh", "-c", definition["command"]]
            definitions.append({"name": name, "image": image, "memory": 64, **definition})
        ecs_client.register_task_definition(
            family=family, containerDefinitions=definitions, **(task or {})
        )
        return family

    return register
