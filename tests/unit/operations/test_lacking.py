"""What botocore has and the server has not: a newer botocore's operations are refused by name."""

from __future__ import annotations

import json

import pytest
from kecs_server.operations import table
from kecs_server.protocol.model import operation_names
from probes.cases import bases_of
from probes.world import World


@pytest.fixture(scope="module")
def world() -> World:
    return World(lacking=operation_names())


@pytest.mark.parametrize("operation", sorted(operation_names()))
def test_an_operation_that_is_not_there(world: World, operation: str) -> None:
    before = world.state()
    base = bases_of(operation, world)[0]
    answer = world.ask(operation, json.dumps(base).encode())
    assert answer.status == 501
    assert answer.body["__type"] == "NotImplementedException"
    assert operation in answer.body["message"]
    assert world.state() == before


def test_the_table_names_what_is_not_there() -> None:
    known = {*operation_names(), "MakeCoffee"}
    assert "`MakeCoffee`" in table.markdown(known).rpartition("HTTP 501")[2]


def test_the_server_has_no_operation_that_botocore_has_not() -> None:
    assert set(table.all_operations().operations()) <= operation_names()
