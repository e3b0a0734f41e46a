"""What a task with a network of its own reaches outside, and where it finds that."""

from __future__ import annotations

from typing import Any

import pytest
from kecs_server.domain.images import parse_images
from kecs_server.domain.ways_out import AGENT_ADDRESS
from kecs_server.domain.ways_out import HOST_NAME
from kecs_server.domain.ways_out import OwnNetwork
from kecs_server.domain.ways_out import Place
from kecs_server.domain.ways_out import WayOut
from kecs_server.domain.ways_out import from_inside
from kecs_server.domain.ways_out import lay_out
from kecs_server.domain.ways_out import named_by
from kecs_server.domain.ways_out import parse_place
from kecs_server.engines.base import TaskSpec
from kecs_server.engines.spec import Addressing
from kecs_server.engines.spec import Surroundings
from kecs_server.engines.spec import TaskNetwork
from kecs_server.engines.spec import task_spec
from kecs_server.settings import MOST_PLACES
from made_tasks import made_task

HOST = Place(HOST_NAME, 5432)


def test_each_host_has_an_address() -> None:
    db, other = Place("db.example", 5432), Place("other", 443)
    literal, twice = Place("192.0.2.7", 80), Place("db.example", 5433)
    network = lay_out([other, db, literal, HOST, twice, db], agent_port=4000)
    assert network.hosts == {"db.example": "10.0.2.2", HOST_NAME: "10.0.2.3", "other": "10.0.2.4"}
    assert network.addresses == (AGENT_ADDRESS, "192.0.2.7", "10.0.2.2", "10.0.2.3", "10.0.2.4")
    assert network.ways_out == (
        WayOut(AGENT_ADDRESS, 80, Place("127.0.0.1", 4000)),
        WayOut("192.0.2.7", 80, literal),
        WayOut("10.0.2.2", 5432, db),
        WayOut("10.0.2.2", 5433, twice),
        WayOut("10.0.2.3", 5432, HOST),
        WayOut("10.0.2.4", 443, other),
    )
    assert lay_out([], agent_port=None) == OwnNetwork(hosts={})


def test_there_are_addresses_for_all_that_can_be_named() -> None:
    places = [Place(f"db-{number}", 5432) for number in range(MOST_PLACES)]
    literal = Place("10.0.2.3", 5432)
    network = lay_out([HOST, literal, *places], agent_port=4000)
    assert len(set(network.addresses)) == len(network.addresses) == MOST_PLACES + 3
    assert len(set(network.hosts.values()) - {"10.0.2.3"}) == MOST_PLACES + 1


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("5432", HOST),
        ("localhost:5432", HOST),
        ("127.0.0.9:5432", HOST),
        ("host.kecs.internal:5432", HOST),
        ("db.example:1", Place("db.example", 1)),
        ("192.0.2.7:65535", Place("192.0.2.7", 65535)),
    ],
)
def test_places(text: str, place: Place) -> None:
    assert parse_place(text) == place


@pytest.mark.parametrize("text", ["", "db", "db:", ":5432", "0", "65536", "a..b:1", "a b:1", "-1"])
def test_no_places(text: str) -> None:
    with pytest.raises(ValueError, match="is not PORT or NAME:PORT"):
        parse_place(text)


@pytest.mark.parametrize(
    ("url", "inside", "place"),
    [
        ("http://127.0.0.1:5000", "http://host.kecs.internal:5000", Place(HOST_NAME, 5000)),
        ("http://[::1]:5000", "http://host.kecs.internal:5000", Place(HOST_NAME, 5000)),
        ("https://localhost", "https://host.kecs.internal:443", Place(HOST_NAME, 443)),
        ("http://localstack:4566", "http://localstack:4566", Place("localstack", 4566)),
        ("http://192.0.2.7", "http://192.0.2.7", Place("192.0.2.7", 80)),
    ],
)
def test_the_rest_of_aws_from_inside(url: str, inside: str, place: Place) -> None:
    assert from_inside(url) == (inside, place)


@pytest.mark.parametrize(
    ("environment", "argv", "ports"),
    [
        ({"URL": "postgres://me:x@host.kecs.internal:5432/db"}, [], [5432]),
        ({"URLS": "host.kecs.internal:1,host.kecs.internal:2"}, [], [1, 2]),
        ({}, ["--redis", "host.kecs.internal:6379"], [6379]),
        ({"DB_HOST": "host.kecs.internal", "DB_PORT": "5432", "PORT": "80"}, [], [5432]),
        ({"PGHOST": "host.kecs.internal", "PGPORT": "5433"}, [], [5433]),
        ({"DB_HOST": "host.kecs.internal", "DB_PORT": "many"}, [], []),
        ({"DB_HOST": "elsewhere", "DB_PORT": "5432"}, [], []),
        ({"A": "host.kecs.internal", "B": "host.kecs.internal:0", "C": "localhost:5"}, [], []),
        ({"A": "host.kecs.internal:123456"}, [], []),
    ],
)
def test_what_a_definition_names(
    environment: dict[str, str], argv: list[str], ports: list[int]
) -> None:
    assert list(named_by(environment, argv)) == [Place(HOST_NAME, port) for port in ports]


def spec(mode: str = "awsvpc", *, is_own: bool = True, **more: Any) -> TaskSpec:
    container = {
        "name": "app",
        "image": "i",
        "environment": [{"name": "DB", "value": "host.kecs.internal:5432"}],
        "extraHosts": [{"hostname": "extra", "ipAddress": "10.9.9.9"}],
        "portMappings": [{"containerPort": 6379}],
        "healthCheck": {"command": ["CMD-SHELL", "ask host.kecs.internal:9200"]},
    }
    task = made_task({"networkMode": mode, "containerDefinitions": [container]})
    addressing = {"app": Addressing(host="0.0.0.0", ports={}, peers={})}
    return task_spec(
        task,
        Surroundings(
            realm="r",
            region="us-east-1",
            endpoint="http://127.0.0.1:1234",
            images=parse_images({}),
            names={},
            network=TaskNetwork(addressing=addressing, address="127.9.9.9", is_own=is_own),
            agent_port=4000,
            **more,
        ),
    )


def test_a_task_finds_its_agent_where_it_is_on_ecs() -> None:
    places = [Place("db.example", 1), Place("elsewhere", 6379)]
    made = spec(aws_endpoint="http://127.0.0.1:5000", reach=places)
    environment = made.containers[0].environment
    assert environment["ECS_CONTAINER_METADATA_URI_V4"].startswith("http://169.254.170.2/v4/")
    assert environment["AWS_ENDPOINT_URL_ECS"] == "http://169.254.170.2"
    assert environment["AWS_ENDPOINT_URL"] == "http://host.kecs.internal:5000"
    assert made.own_network is not None
    assert {(way.target.host, way.port) for way in made.own_network.ways_out} == {
        ("127.0.0.1", 80),
        ("db.example", 1),
        ("elsewhere", 6379),
        (HOST_NAME, 5000),
        (HOST_NAME, 5432),
        (HOST_NAME, 9200),
    }
    assert made.containers[0].hosts == {**made.own_network.hosts, "extra": "10.9.9.9"}
    assert made.address == "127.9.9.9"


def test_in_mode_none_nothing_is_reached() -> None:
    made = spec("none", aws_endpoint="http://localhost:5000", reach=[HOST])
    assert made.own_network == OwnNetwork(hosts={})
    environment = made.containers[0].environment
    assert environment["AWS_ENDPOINT_URL"] == "http://127.0.0.1:9"
    assert not [name for name in environment if name.startswith("ECS_")]


def test_a_task_that_shares_the_machines_network() -> None:
    made = spec(is_own=False)
    assert made.own_network is None
    assert made.containers[0].hosts == {"extra": "10.9.9.9"}
    assert made.containers[0].environment["AWS_ENDPOINT_URL"] == "http://127.0.0.1:1234"
