"""The Services of a task, for what it finds by name."""

from __future__ import annotations

from kecs_server.engines.base import ContainerSpec
from kecs_server.engines.base import Named
from kecs_server.engines.base import TaskSpec
from kecs_server.engines.kubernetes.pods import build_pod
from kecs_server.engines.kubernetes.services import SERVES_LABEL
from kecs_server.engines.kubernetes.services import build_services


def task(*names: Named) -> TaskSpec:
    app = ContainerSpec(name="app", image="i", hosts={"db": "10.0.0.9"})
    return TaskSpec(
        task_id="0" * 32,
        task_arn="arn",
        family="f",
        containers=(app,),
        labels={"serves": "mark"},
        names=names,
    )


def named(host: str, port: int, mark: str = "a") -> Named:
    return Named(host=host, port=port, target_port=port + 1, mark=mark)


def test_a_service_for_each_name() -> None:
    spec = task(named("web.internal", 80), named("web.internal", 81), named("B_c", 1, "b"))
    web, other = build_services(spec, "env").values()
    assert web["metadata"]["name"] == f"n0-{'0' * 32}"
    assert other["metadata"]["name"] == f"n1-{'0' * 32}"
    assert web["metadata"]["labels"]["kecs/task-id"] == "0" * 32
    assert web["spec"]["selector"] == {SERVES_LABEL: "a"}
    ports = [(port["port"], port["targetPort"]) for port in web["spec"]["ports"]]
    assert ports == [(80, 81), (81, 82)]
    assert other["spec"]["selector"] == {SERVES_LABEL: "b"}


def test_one_name_of_two_services_is_that_of_the_first() -> None:
    [service] = build_services(task(named("x", 1, "a"), named("x", 2, "b")), "env").values()
    assert [port["port"] for port in service["spec"]["ports"]] == [1]
    assert build_services(task(), "env") == {}


def test_the_pod_knows_the_addresses_and_is_found_itself() -> None:
    pod = build_pod(task(), "env", hosts={"web": "10.1.1.1", "db": "10.1.1.2"})
    assert pod["metadata"]["labels"][SERVES_LABEL] == "mark"
    # What a container says of a name counts first.
    assert pod["spec"]["hostAliases"] == [
        {"ip": "10.0.0.9", "hostnames": ["db"]},
        {"ip": "10.1.1.1", "hostnames": ["web"]},
    ]
