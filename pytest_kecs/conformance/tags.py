"""Tags."""

from __future__ import annotations

from pytest_kecs.conformance.checks import Account
from pytest_kecs.conformance.checks import Refusal
from pytest_kecs.conformance.checks import check
from pytest_kecs.conformance.checks import expect
from pytest_kecs.conformance.checks import refusals
from pytest_kecs.conformance.steps import TAGS
from pytest_kecs.conformance.steps import definition

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


refusals(
    _FAMILY,
    [
        Refusal(
            "TagResource",
            "reserved key",
            lambda account: {
                "resourceArn": _cluster(account),
                "tags": [{"key": "aws:x", "value": "y"}],
            },
            "InvalidParameterException",
            None,
            "ecs-facts 14",
            "documented",
        )
    ],
)
