from __future__ import annotations

import json
import os
import re
import select
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import AbstractContextManager
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import psutil
import pytest
from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient

KECS = (sys.executable, "-m", "pytest_kecs.cli")
SECONDS = 60


@dataclass
class Served:
    """A `kecs serve` that is ready."""

    process: subprocess.Popen[str]
    name: str
    endpoint: str
    variables: dict[str, str]
    announcement: str


@dataclass
class Command:
    """Runs the real command, in a home of its own."""

    home: Path
    environ: dict[str, str] = field(default_factory=dict)

    def __call__(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*KECS, *arguments],
            env={**self.environ, **environ},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*KECS, *arguments],
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # Under nohup it would be ignored, and what ignores it at its start cannot trap it.
            preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
        )

    def start_shell(self, script: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["sh", "-c", script],
            env=self.environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @contextmanager
    def serve(self, *arguments: str) -> Iterator[Served]:
        with self.start("serve", *arguments) as process:
            try:
                yield self._ready(process)
            finally:
                process.terminate()
                process.communicate(timeout=SECONDS)

    def _ready(self, process: subprocess.Popen[str]) -> Served:
        assert process.stdout is not None
        announcement = ""
        for line in process.stdout:
            announcement += line
            if "sts =" in line:
                break
        else:
            pytest.fail(f"kecs serve ended: {process.communicate()}")
        found = re.match(
            r"(kecs-\w+) is ready: engine \w+, (http://127\.0\.0\.1:\d+)", announcement
        )
        assert found is not None, announcement
        lines = re.findall(r"export (.+)", announcement)
        exports = dict(shlex.split(line)[0].split("=", 1) for line in lines)
        return Served(process, found[1], found[2], exports, announcement)

    def shell(self, script: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", "-c", script],
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    def server(self, name: str) -> psutil.Process:
        record = json.loads((self.home / name / "environment.json").read_text())
        return psutil.Process(record["server_pid"])

    def children(self, pid: int) -> list[psutil.Process]:
        return psutil.Process(pid).children(recursive=True)

    def processes(self) -> list[psutil.Process]:
        """All that runs for the environments of this home, except containers."""
        mine = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("KECS_HOME") == str(self.home):
                    mine.append(process)
            except psutil.Error:
                continue
        return [process for process in mine if process.pid != os.getpid()]

    def left(self) -> list[str]:
        """What is in the home."""
        return sorted(path.name for path in self.home.iterdir()) if self.home.exists() else []


@pytest.fixture
def kecs(tmp_path: Path) -> Iterator[Command]:
    with _command(tmp_path / "home") as command:
        yield command


@pytest.fixture(scope="module")
def kecs_of_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Command]:
    with _command(tmp_path_factory.mktemp("module") / "home") as command:
        yield command


@pytest.fixture(scope="session")
def client_of() -> Callable[[dict[str, str]], AbstractContextManager[ECSClient]]:
    return _client_of


@pytest.fixture
def start_sleeper(tmp_path: Path) -> Callable[[ECSClient], psutil.Process]:
    return lambda client: _start_sleeper(client, tmp_path)


@contextmanager
def _command(home: Path) -> Iterator[Command]:
    """The command in this home; nothing runs there any more at the end."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environ["KECS_HOME"] = str(home)
    command = Command(home, environ)
    yield command
    remaining = command.processes()
    for process in remaining:
        process.kill()
    assert remaining == []


@contextmanager
def _client_of(variables: dict[str, str]) -> Iterator[ECSClient]:
    client = boto3.client(
        "ecs",
        endpoint_url=variables["AWS_ENDPOINT_URL_ECS"],
        region_name=variables["AWS_REGION"],
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
        config=Config(proxies={}, retries={"total_max_attempts": 1}),
    )
    try:
        yield client
    finally:
        client.close()


def _start_sleeper(client: ECSClient, folder: Path) -> psutil.Process:
    """Run a task whose container has a child that sleeps; the child, once it runs.

    A child, because the kernel may end a container together with what started it.
    """
    pipe = folder / "pid"
    os.mkfifo(pipe)
    script = f"sh -c 'echo $$ > \"{pipe}\"; exec sleep 1000' & wait"
    container = {"name": "app", "image": "busybox", "memory": 64, "command": ["sh", "-c", script]}
    client.create_cluster()
    client.register_task_definition(family="sleeper", containerDefinitions=[container])
    descriptor = os.open(pipe, os.O_RDWR)
    try:
        client.run_task(taskDefinition="sleeper")
        assert select.select([descriptor], [], [], SECONDS)[0], "the task did not start"
        return psutil.Process(int(os.read(descriptor, 20)))
    finally:
        os.close(descriptor)
