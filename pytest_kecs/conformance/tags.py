"""Tags."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pytest_kecs.conformance.checks import Account
from pytest_kecs.conformance.checks import Members
from pytest_kecs.conformance.checks import Refusal
from pytest_kecs.conformance.checks import check
from pytest_kecs.conformance.checks import expect
from pytest_kecs.conformance.checks import refusals
from pytest_kecs.conformance.steps import TAGS
from pytest_kecs.conformance.steps import definition
from pytest_kecs.conformance.steps import made_cluster
from pytest_kecs.conformance.steps import made_instance
from pytest_kecs.conformance.steps import made_service

_FAMILY = "tags"


def _cluster(account: Account) -> str:
    arn: str = account.call("CreateCluster", clusterName=account.name())["cluster"]["clusterArn"]
    return arn


@check(_FAMILY, "TagResource", "Merges, overwrites, answers {}", "ecs-facts 14", basis="documented")
def merges(account: Account) -> None:
    arn = _cluster(account)
    expect("answer", account.call("TagResource", resourceArn=arn, tags=TAGS), {})
    more = [{"key": "a", "value": "new"}, {"key": "c", "value": ""}]
    account.call("TagResource", resourceArn=arn, tags=more)
    came = account.call("ListTagsForResource", resourceArn=arn)["tags"]
    expect("tags", sorted(came, key=lambda tag: tag["key"]), more)


@check(_FAMILY, "UntagResource", "Absent keys do not matter", "ecs-facts 14", basis="documented")
def removes(account: Account) -> None:
    arn = _cluster(account)
    account.call("TagResource", resourceArn=arn, tags=TAGS)
    expect("answer", account.call("UntagResource", resourceArn=arn, tagKeys=["a", "no"]), {})
    expect("tags", account.call("ListTagsForResource", resourceArn=arn)["tags"], [])


@check(
    _FAMILY,
    "ListTagsForResource",
    "INACTIVE definitions have tags",
    "ecs-facts 4.5, 14",
    basis="documented",
)
def keeps_tags_of_definitions(account: Account) -> None:
    made = account.call("RegisterTaskDefinition", tags=TAGS, **definition(account))
    arn = made["taskDefinition"]["taskDefinitionArn"]
    account.call("DeregisterTaskDefinition", taskDefinition=arn)
    expect("tags", account.call("ListTagsForResource", resourceArn=arn)["tags"], TAGS)


@check(
    _FAMILY,
    "TagResource",
    "Container instances and capacity providers have tags",
    "ecs-facts 14",
    basis="documented",
)
def tags_other_things(account: Account) -> None:
    name = account.name()
    group = {"autoScalingGroupArn": name}
    made = account.call("CreateCapacityProvider", name=name, autoScalingGroupProvider=group)
    instance = made_instance(account, made_cluster(account))
    arns = [made["capacityProvider"]["capacityProviderArn"], instance["containerInstanceArn"]]
    for arn in arns:
        account.call("TagResource", resourceArn=arn, tags=TAGS)
        expect(arn, account.call("ListTagsForResource", resourceArn=arn)["tags"], TAGS)


@check(
    _FAMILY,
    "CreateService",
    "A service keeps its tags",
    "ecs-facts 14",
    basis="documented",
)
def tags_services(account: Account) -> None:
    service = made_service(account, tags=TAGS)
    arn = service["serviceArn"]
    expect("tags", account.call("ListTagsForResource", resourceArn=arn)["tags"], TAGS)


def _tagged(**members: Any) -> Callable[[Account], Members]:
    """A request that is refused, for a new cluster."""

    def asked(account: Account) -> Members:
        return {"resourceArn": _cluster(account), **members}

    return asked


_KEYS = [{"key": str(number), "value": ""} for number in range(51)]

refusals(
    _FAMILY,
    [
        Refusal("TagResource", rule, asked, code, None, "ecs-facts 14", "documented")
        for rule, asked, code in (
            (
                "reserved key",
                _tagged(tags=[{"key": "aws:x", "value": "y"}]),
                "InvalidParameterException",
            ),
            (
                "a key of 129 characters",
                _tagged(tags=[{"key": "k" * 129, "value": ""}]),
                "InvalidParameterException",
            ),
            (
                "a value of 257 characters",
                _tagged(tags=[{"key": "k", "value": "v" * 257}]),
                "InvalidParameterException",
            ),
            ("more than fifty", _tagged(tags=_KEYS), "InvalidParameterException"),
        )
    ],
)
