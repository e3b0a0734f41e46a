"""A clock that stands still until the test advances it."""

from __future__ import annotations

from typing import Any

import pytest
from api_steps import container
from api_steps import messages
from api_steps import register
from api_steps import run
from api_steps import service
from service_steps import create
from service_steps import wait_steady

from pytest_kecs.admin import AdminClient
from pytest_kecs.kecs import Kecs
from pytest_kecs.waiting import WaitTimeout

pytestmark = pytest.mark.ours


@pytest.fixture
def app(ecs: Any, admin: AdminClient) -> Any:
    """A client in an account that has such a clock, and the family app."""
    admin.begin_realm("manual", clock="manual")
    ecs.create_cluster()
    register(ecs)
    return ecs


def test_time_passes_when_the_test_says_so(app: Any, admin: AdminClient) -> None:
    create(app)
    register(app, "short", container(command=["sleep", "0.3"]))
    task = run(app, "short")["taskArn"]
    # Tasks really run, and end: longer than a service takes to be steady.
    app.get_waiter("tasks_stopped").wait(tasks=[task])
    [ended] = app.describe_tasks(tasks=[task])["tasks"]
    assert ended["stoppedAt"] == ended["startedAt"] == ended["createdAt"]
    assert service(app, "s")["runningCount"] == 1
    assert not any("steady" in text for text in messages(service(app, "s")))
    before = admin.advance_clock(0)
    Kecs(app, admin).advance_clock(0.25, minutes=1, hours=1, days=1)
    assert admin.advance_clock(0) == before + 0.25 + 60 + 3600 + 86400
    wait_steady(app, admin)


def test_a_wait_in_vain_says_that_the_clock_stands_still(app: Any, admin: AdminClient) -> None:
    create(app)
    with pytest.raises(WaitTimeout, match=r"kecs\.advance_clock"):
        Kecs(app, admin).wait_stable("s", timeout=0.01)
