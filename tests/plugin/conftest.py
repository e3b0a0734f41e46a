"""Each test has a home for environments of its own; no setting of the outer run reaches it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from inner_runs import SLOW_END_SECONDS
from inner_runs import Processes
from inner_runs import Start

# Hypothesis's plugin would double what the processor does for a run, for nothing here.
INI = """
[pytest]
filterwarnings = error
addopts = -p no:cacheprovider -p no:hypothesispytest
"""

TASKS = '''
def register(client, family, *command, **container):
    """A task definition with one container, `app`."""
    client.register_task_definition(
        family=family,
        containerDefinitions=[
            {"name": "app", "image": "img", "memory": 64, "command": list(command), **container}
        ],
    )


def shell(client, family, script):
    register(client, family, "sh", "-c", script)
'''


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for environments of the inner runs; no setting of the outer run reaches them."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "PYTEST_KECS_", "PYTEST_XDIST_", "PYTEST_ADDOPTS")):
            monkeypatch.delenv(name)
    path = tmp_path / "home"
    monkeypatch.setenv("KECS_HOME", str(path))
    return path


@pytest.fixture
def inner(pytester: pytest.Pytester) -> pytest.Pytester:
    """A pytester whose runs treat warnings as errors, and whose tests can `import tasks`."""
    pytester.makeini(INI)
    pytester.makepyfile(tasks=TASKS)
    return pytester


@pytest.fixture
def processes(home: Path) -> Iterator[Processes]:
    """Gives the processes of the inner environments, and ends what a failing test leaves."""
    found = Processes(home)
    yield found
    left = found.now()
    for process in left:
        process.kill()
    assert left == []


@pytest.fixture
def start(inner: pytest.Pytester) -> Iterator[Start]:
    starting = Start(inner.path)
    yield starting
    for one in starting.runs:
        assert one.popen.stdout is not None
        one.popen.stdout.close()
        if one.popen.poll() is None:
            one.popen.kill()
        one.popen.wait(SLOW_END_SECONDS)
