"""The cluster query language: operators, fields, precedence, refusals."""

from __future__ import annotations

from typing import Any

import pytest
from kecs_server.domain.query import Queried
from kecs_server.domain.query import QueryError
from kecs_server.domain.query import parse

IT = Queried(
    attributes={
        "ecs.instance-type": "t2.small",
        "ecs.availability-zone": "us-east-1a",
        "stack": "prod",
        "rank": "10",
        "flag": None,
        "dir/na-me_1": "a b",
    },
    agent_connected=True,
    agent_version="1.26.0",
    ec2_instance_id="i-abcd1234",
    registered_at=1518480000.0,
    running_tasks=2,
    groups={"service:production", "family:web"},
)


def asked(text: str, **changed: Any) -> bool:
    members = {name: getattr(IT, name) for name in Queried.__slots__}
    return parse(text)(Queried(**{**members, **changed}))


@pytest.mark.parametrize(
    "text",
    [
        "attribute:stack == prod",
        "attribute:stack equals prod",
        "attribute:stack==prod",
        "attribute:stack == 'prod'",
        'attribute:dir/na-me_1 == "a b"',
        "attribute:stack != dev",
        "attribute:stack not_equals dev",
        "attribute:stack exists",
        "attribute:flag exists",
        "attribute:other !exists",
        "attribute:other not_exists",
        "attribute:stack in [dev, prod]",
        "attribute:stack in ['dev','prod']",
        "attribute:stack !in [dev, test]",
        "attribute:stack not_in [dev]",
        "attribute:ecs.instance-type =~ t2.*",
        "attribute:ecs.instance-type matches t[23]\\.(small|large)",
        "attribute:ecs.instance-type !~ g2.*",
        "attribute:ecs.instance-type not_matches small",
        "attribute:rank > 9",
        "attribute:rank >= 10",
        "attribute:rank less_than 10.5",
        "attribute:rank <= 10",
        "attribute:stack > a",
        "agentConnected == true",
        "agentConnected != false",
        "agentConnected in [true]",
        "agentVersion < 1.100.0",
        "agentVersion >= 1.26",
        "agentVersion greater_than 1.9.9",
        "ec2InstanceId in ['i-abcd1234', 'i-wxyx7890']",
        "ec2InstanceId =~ i-abcd.*",
        "registeredAt == 2018-02-13",
        "registeredAt == 2018-02-13T00:00:00",
        "registeredAt >= 2018-02-13T00:00:00Z",
        "registeredAt < 2018-02-13T00:00:00-01:00",
        "runningTasksCount == 2",
        "runningTasksCount>1",
        "runningTasksCount less_than_equal 2",
        "runningTasksCount greater_than_equal 2",
        "task:group == service:production",
        "task:group =~ family:.*",
        "task:group in [database, family:web]",
        "task:group exists",
        "not(task:group == database)",
        "task:group != database",
        "task:group not_in [database]",
        "not attribute:stack == dev",
        "!attribute:stack == dev",
        "not not attribute:stack == prod",
        "attribute:stack == dev and attribute:stack == dev or attribute:stack == prod",
        "attribute:stack == prod or attribute:stack == dev and attribute:stack == dev",
        "attribute:stack==prod&&runningTasksCount==2||agentConnected==false",
        "(attribute:stack == dev or attribute:stack == prod) and runningTasksCount == 2",
        "  ((attribute:stack == prod))\n",
    ],
)
def test_true(text: str) -> None:
    assert asked(text) is True


@pytest.mark.parametrize(
    "text",
    [
        "attribute:stack == pro",
        "attribute:Stack == prod",
        "attribute:stack != prod",
        "attribute:stack not_exists",
        "attribute:other exists",
        "attribute:other == prod",
        "attribute:other != prod",
        "attribute:other !in [prod]",
        "attribute:other !~ prod",
        "attribute:ecs.instance-type =~ t2",
        "attribute:rank < 9",
        "attribute:flag == x",
        "agentConnected == false",
        "agentVersion > 1.26.0",
        "agentVersion < 1.26",
        "runningTasksCount != 2",
        "task:group == database",
        "task:group != service:production",
        "task:group !~ family:.*",
        "task:group !exists",
        "not(task:group == service:production)",
        "attribute:stack == prod and not runningTasksCount == 2",
        "(attribute:stack == prod or attribute:stack == dev) and runningTasksCount == 1",
    ],
)
def test_false(text: str) -> None:
    assert asked(text) is False


def test_what_an_instance_may_lack() -> None:
    assert not asked("agentVersion < 9", agent_version=None)
    assert not asked("ec2InstanceId != i-1", ec2_instance_id=None)
    assert asked("task:group !exists", groups=())


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "at character 1: a subject is expected"),
        ("x", "'x' is no subject"),
        ("attribute: == a", "'attribute:' is no subject"),
        ("attribute:a", "an operator is expected"),
        ("attribute:a like b", "'like' is no operator of attribute:a"),
        ("attribute:a ==", "an argument is expected"),
        ("attribute:a == (b)", "an argument is expected"),
        ("attribute:a in b", "'\\[' is expected"),
        ("attribute:a in []", "an argument is expected"),
        ("attribute:a in [b", "'\\]' is expected"),
        ("attribute:a =~ [", "'\\[' is no regular expression"),
        ("attribute:a == b c", "at character 18: the expression has ended"),
        ("(attribute:a == b", "'\\)' is expected"),
        ("attribute:a == b)", "the expression has ended"),
        ("attribute:a == b and", "a subject is expected"),
        ("agentConnected > true", "no operator of agentConnected"),
        ("agentVersion == new", "'new' is no version"),
        ("agentVersion exists", "no operator of agentVersion"),
        ("runningTasksCount == many", "'many' is no number"),
        ("runningTasksCount in [1]", "no operator of runningTasksCount"),
        ("registeredAt < yesterday", "'yesterday' is no date"),
        ("(" * 100_000, "more than 50"),
        ("not " * 100_000 + "attribute:a exists", "more than 50"),
    ],
)
def test_refused(text: str, why: str) -> None:
    with pytest.raises(QueryError, match=why):
        parse(text)
