"""The AWS CLI, aioboto3 and the SDK for JavaScript do what boto3 does, as a user would type it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_kecs.kecs import Kecs

HERE = Path(__file__).parent
CLIENTS = HERE.parents[1] / ".tmp" / "clients"
"""Where `.ci/clients` has installed them."""

AWS = CLIENTS / "cli" / "bin" / "aws"
CONTAINERS = json.dumps(
    [{"name": "app", "image": "busybox", "memory": 64, "command": ["sh", "-c", "exit 3"]}]
)

pytestmark = pytest.mark.kecs

Run = Callable[..., str]


@pytest.fixture
def run(kecs: Kecs) -> Run:
    """Run a command with the test's environment; returns what it printed."""

    def run(*command: object, **variables: str) -> str:
        done = subprocess.run(
            [str(word) for word in command],
            env={**os.environ, **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout.strip()

    return run


def aws(run: Run, *words: str) -> Any:
    text = run(AWS, *words, "--output", "json")
    return json.loads(text) if text else None


def test_the_cli(run: Run) -> None:
    aws(run, "ecs", "create-cluster")
    aws(
        run,
        *("ecs", "register-task-definition", "--family", "app"),
        *("--container-definitions", CONTAINERS),
    )
    answer = aws(run, "ecs", "run-task", "--task-definition", "app", "--count", "2")
    arns = [task["taskArn"] for task in answer["tasks"]]
    aws(run, "ecs", "wait", "tasks-stopped", "--tasks", *arns)
    tasks = aws(run, "ecs", "describe-tasks", "--tasks", *arns)["tasks"]
    assert [task["containers"][0]["exitCode"] for task in tasks] == [3, 3]
    assert aws(run, "sts", "get-caller-identity")["Account"] == "123456789012"
    for page in ("1", "100"):
        listed = aws(run, "ecs", "list-tasks", "--desired-status", "STOPPED", "--page-size", page)
        assert sorted(listed["taskArns"]) == sorted(arns)


def test_the_cli_tells_of_a_refusal(kecs: Kecs) -> None:
    done = subprocess.run(
        [AWS, "ecs", "list-tasks", "--cluster", "none"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 255
    assert "(ClusterNotFoundException)" in done.stderr
    assert "Cluster not found." in done.stderr


def test_the_cli_in_an_environment_of_its_own(tmp_path: Path) -> None:
    kecs = Path(sys.executable).with_name("kecs")
    words = ["ecs", "create-cluster", "--query", "cluster.status", "--output", "text"]
    done = subprocess.run(
        [kecs, "run", "--", "aws", *words],
        env={**os.environ, "PATH": f"{AWS.parent}:{os.environ['PATH']}"},
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "ACTIVE"), done.stderr


def test_aioboto3(run: Run) -> None:
    python = CLIENTS / "aioboto3" / "bin" / "python"
    # Its botocore is an older one, which takes the waiters that the variable leads to all the same.
    assert run(python, HERE / "task_async.py").split() == ["3", "123456789012"]


def test_the_sdk_for_javascript(run: Run) -> None:
    modules = CLIENTS / "javascript" / "node_modules"
    script = modules.parent / "task.mjs"  # modules are found beside the file that imports them
    script.write_text((HERE / "task.mjs").read_text(encoding="utf-8"), encoding="utf-8")
    assert run("node", script).split() == ["3", "ClusterNotFoundException"]
