"""STS GetCallerIdentity: the one call of another service."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from kecs_server.credentials import Credentials

from pytest_kecs.admin import AdminClient

pytestmark = pytest.mark.documented


@pytest.mark.parametrize(
    ("region", "partition"),
    [("us-east-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")],
)
def test_caller(new_client: Any, admin: AdminClient, region: str, partition: str) -> None:
    answer = new_client("sts", region=region).get_caller_identity()
    assert answer["Account"] == "123456789012"
    assert answer["UserId"] == "123456789012"
    assert answer["Arn"] == f"arn:{partition}:iam::123456789012:root"
    assert len(answer["ResponseMetadata"]["RequestId"]) == 36


def test_caller_of_another_account(new_client: Any, admin: AdminClient) -> None:
    other = new_client("sts", key=admin.new_key("210987654321"))
    assert other.get_caller_identity()["Account"] == "210987654321"


def test_wrong_secret(new_client: Any, credentials: Credentials) -> None:
    wrong = new_client("sts", key=Credentials(credentials.access_key, "wrong"))
    with pytest.raises(ClientError) as caught:
        wrong.get_caller_identity()
    assert caught.value.response["Error"]["Code"] == "InvalidSignatureException"


@pytest.mark.ours
def test_key_of_a_realm_that_has_ended(new_client: Any, admin: AdminClient) -> None:
    key = admin.new_key("210987654321")
    ecs = new_client(key=key)
    assert ecs.list_clusters()["clusterArns"] == []
    admin.begin_realm("the next")
    with pytest.raises(ClientError) as caught:
        ecs.list_clusters()
    assert caught.value.response["Error"]["Code"] == "UnrecognizedClientException"
