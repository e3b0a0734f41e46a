"""What a container reads of itself before its engine has said that it runs."""

from __future__ import annotations

from typing import Any

from kecs_server.engines.base import Provisioned
from kecs_server.metadata.views import container_document
from kecs_server.metadata.views import task_document
from lives import Life
from lives import after


def known(document: dict[str, Any]) -> tuple[str, dict[str, str]]:
    of_containers = {each["Name"]: each["KnownStatus"] for each in document["Containers"]}
    return document["KnownStatus"], of_containers


def test_who_asks_runs() -> None:
    life = Life({"name": "a"})
    life.step()
    life.see(Provisioned)
    [a] = life.task.containers
    first = container_document(life.task, a, a, {})
    assert known(task_document(life.task, a, {})) == ("RUNNING", {"a": "RUNNING"})
    life.started("a")
    later = container_document(life.task, a, a, {})
    assert (first["KnownStatus"], later["KnownStatus"]) == ("RUNNING", "RUNNING")
    assert first["DockerId"] == later["DockerId"]


def test_a_task_runs_when_all_others_have_started() -> None:
    life = Life({"name": "a"}, {"name": "b", "dependsOn": after("a", "START")})
    life.step()
    life.see(Provisioned)
    a, b = life.task.containers
    assert known(task_document(life.task, a, {})) == ("NONE", {"a": "RUNNING", "b": "NONE"})
    life.started("a")
    assert known(task_document(life.task, b, {})) == ("RUNNING", {"a": "RUNNING", "b": "RUNNING"})


def test_the_address_of_a_container_is_its_own_or_its_tasks() -> None:
    life = Life({"name": "a"})
    life.step()
    [a] = life.task.containers
    assert container_document(life.task, a, a, {})["Networks"] == [{"NetworkMode": "bridge"}]
    life.see(Provisioned, address="10.244.0.7")
    for addresses, expected in (({}, "10.244.0.7"), ({"a": "127.9.8.7"}, "127.9.8.7")):
        [network] = container_document(life.task, a, a, addresses)["Networks"]
        assert network == {"NetworkMode": "bridge", "IPv4Addresses": [expected]}
