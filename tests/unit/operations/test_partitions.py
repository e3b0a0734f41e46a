"""Every ARN in an answer is of the partition, the region and the account of the call."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from account import CONTAINER
from account import NUMBER
from account import Account
from kecs_server.domain.arns import parse_arn
from kecs_server.domain.arns import partition_of

NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}


@pytest.mark.parametrize(
    ("region", "partition"),
    [
        ("us-east-1", "aws"),
        ("eu-central-2", "aws"),
        ("cn-north-1", "aws-cn"),
        ("cn-northwest-1", "aws-cn"),
        ("us-gov-east-1", "aws-us-gov"),
        ("us-iso-east-1", "aws-iso"),
        ("us-isob-east-1", "aws-iso-b"),
        ("eusc-de-east-1", "aws-eusc"),
    ],
)
def test_partitions(region: str, partition: str) -> None:
    assert partition_of(region) == partition


@pytest.mark.parametrize("region", ["us-east-1", "cn-north-1", "us-gov-west-1"])
def test_arns_in_answers(region: str) -> None:
    found = list(arns(answers(Account(region=region))))
    assert len(found) > 40
    for text in found:
        arn = parse_arn(text)
        assert arn is not None, text
        assert (arn.partition, arn.account) == (partition_of(region), NUMBER), text
        # IAM has no regions.
        assert arn.region == ("" if arn.service == "iam" else region), text


def answers(account: Account) -> Iterator[Any]:
    """What is answered about one thing of each kind."""
    group = {"autoScalingGroupArn": "group"}
    yield account("CreateCapacityProvider", name="group", autoScalingGroupProvider=group)
    yield account(
        "CreateCluster",
        clusterName="default",
        serviceConnectDefaults={"namespace": "internal"},
        capacityProviders=["FARGATE"],
    )
    yield account("DescribeCapacityProviders", capacityProviders=["group", "FARGATE", "none"])
    yield account("DescribeClusters", clusters=["default", "none"])
    yield account(
        "RegisterTaskDefinition",
        family="app",
        containerDefinitions=[CONTAINER],
        networkMode="awsvpc",
    )
    made = account("RunTask", taskDefinition="app", networkConfiguration=NETWORK)
    yield made
    yield account("DescribeTasks", tasks=[made["tasks"][0]["taskArn"], "0" * 32])
    yield account(
        "CreateService",
        serviceName="web",
        taskDefinition="app",
        desiredCount=1,
        networkConfiguration=NETWORK,
    )
    yield account("DescribeServices", services=["web", "none"])
    yield account("PutAccountSetting", name="awsvpcTrunking", value="enabled")
    yield account("ListAccountSettings", effectiveSettings=True)
    for kind in ("Clusters", "TaskDefinitions", "Tasks", "Services"):
        yield account(f"List{kind}")
    yield account("DeregisterTaskDefinition", taskDefinition="app:1")


def arns(answer: Any) -> Iterator[str]:
    if isinstance(answer, str) and answer.startswith("arn:"):
        yield answer
    elif isinstance(answer, dict):
        for inner in answer.values():
            yield from arns(inner)
    elif not isinstance(answer, str | int | float | None):
        for inner in answer:
            yield from arns(inner)
