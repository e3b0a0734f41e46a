"""The page of an environment that runs: news as they come, until its end."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from kecs_server.credentials import derive_credentials
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.support.wait import WebDriverWait

from pytest_kecs.admin import AdminClient
from pytest_kecs.launcher import Launcher
from pytest_kecs.launcher import LaunchOptions

SECONDS = 20


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Launcher]:
    monkeypatch.setenv("KECS_HOME", str(tmp_path / "home"))
    with Launcher(LaunchOptions(rootdir=str(tmp_path), interpreter=sys.executable)) as launcher:
        launcher.start()
        yield launcher


def wait(browser: WebDriver, has_come: Any) -> None:
    WebDriverWait(browser, SECONDS, poll_frequency=0.05).until(lambda _: has_come())


@pytest.mark.console("Failed to load resource")
def test_what_happens_is_seen(browser: WebDriver, server: Launcher) -> None:
    key = derive_credentials(server.run_secret, "ui")
    ecs: Any = boto3.client(
        "ecs",
        region_name="us-east-1",
        endpoint_url=server.endpoint,
        aws_access_key_id=key.access_key,
        aws_secret_access_key=key.secret_key,
    )
    with AdminClient(server.endpoint, key) as admin:
        ecs.create_cluster()
        url = admin.viewer_url()
        browser.get(url)

        def text(identifier: str) -> str:
            return str(
                browser.execute_script(
                    "return document.getElementById(arguments[0]).innerText", identifier
                )
            )

        def rows(kind: str) -> list[str]:
            script = (
                "return [...document.querySelectorAll(arguments[0])].map((row) => row.ariaLabel)"
            )
            return list(browser.execute_script(script, f".row.{kind}"))

        wait(browser, lambda: text("state") == "Live")
        # The address can be loaded again, and has nothing that is worth stealing.
        assert "token" not in browser.current_url
        assert rows("task") == []
        script = "echo said this; read line; echo got $line; exit 3"
        container = {"name": "app", "image": "img", "memory": 64, "command": ["sh", "-c", script]}
        ecs.register_task_definition(
            family="worker", containerDefinitions=[{**container, "interactive": True}]
        )
        [task] = ecs.run_task(taskDefinition="worker")["tasks"]
        wait(browser, lambda: any("running" in row for row in rows("task")))
        browser.execute_script("document.querySelector('.row.task .label').click()")
        wait(browser, lambda: "said this" in text("details"))
        ecs.stop_task(task=task["taskArn"], reason="seen enough")
        wait(browser, lambda: "seen enough" in text("details"))
        browser.refresh()
        wait(browser, lambda: text("state") == "Live")
        assert len(rows("task")) == 1
        browser.get(url)
        wait(browser, lambda: text("state") == "Live")
        assert admin.recording()["tasks"][0]["stoppedReason"] == "seen enough"
    server.stop()
    wait(browser, lambda: text("state") == "The environment does not answer")
    ecs.close()
