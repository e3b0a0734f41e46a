"""What a task refers to is fetched before anything else happens to it."""

from __future__ import annotations

from typing import Any

import pytest
from kecs_server.domain.references import Resources
from kecs_server.domain.task import want_stopped
from kecs_server.engines.base import Provisioned
from kecs_server.scheduler.agent import Fetch
from kecs_server.scheduler.agent import Provision
from kecs_server.scheduler.agent import ResourcesFailed
from kecs_server.scheduler.agent import ResourcesFetched
from kecs_server.scheduler.agent import StartContainer
from lives import Life

REFERRING: list[dict[str, Any]] = [
    {"secrets": [{"name": "A", "valueFrom": "/a"}]},
    {"environmentFiles": [{"type": "s3", "value": "arn:aws:s3:::b/k.env"}]},
    {
        "logConfiguration": {
            "logDriver": "splunk",
            "secretOptions": [{"name": "splunk-token", "valueFrom": "/a"}],
        }
    },
]


@pytest.mark.parametrize("members", REFERRING, ids=["secret", "file", "log-option"])
def test_fetched_then_provisioned(members: dict[str, Any]) -> None:
    life = Life({"name": "a", **members})
    assert life.step() == [Fetch()]
    assert life.step() == []
    assert life.see(ResourcesFetched, resources=Resources()) == [Provision()]
    assert life.see(Provisioned) == [StartContainer("a")]


@pytest.mark.parametrize("awsvpc", [False, True])
def test_a_failure_stops_the_task(awsvpc: bool) -> None:  # noqa: FBT001
    life = Life({"name": "a", **REFERRING[0]}, awsvpc=awsvpc)
    life.step()
    assert life.see(ResourcesFailed, reason="no such thing") == []
    assert life.state == "STOPPED"
    assert life.task.stop_code == "TaskFailedToStart"
    assert life.task.stopped_reason == "ResourceInitializationError: no such thing"
    assert life.codes == {"a": None}


@pytest.mark.parametrize("kind", [ResourcesFetched, ResourcesFailed])
def test_stopped_while_it_is_fetched(kind: Any) -> None:
    life = Life({"name": "a", **REFERRING[0]})
    life.step()
    want_stopped(life.task, "UserInitiated", "why", life.now)
    assert life.step() == []
    assert life.state == "STOPPED"
    late = {"resources": Resources()} if kind is ResourcesFetched else {"reason": "late"}
    assert life.see(kind, **late) == []
    assert (life.task.stop_code, life.task.stopped_reason) == ("UserInitiated", "why")
