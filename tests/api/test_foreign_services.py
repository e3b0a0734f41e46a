"""Other services of AWS are refused with a text, in the protocol of each."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

pytestmark = pytest.mark.ours


@pytest.fixture
def client(ecs: Any) -> Any:
    """Clients of other services that have this server as their endpoint."""
    frozen = ecs._request_signer._credentials.get_frozen_credentials()

    def make(service: str) -> Any:
        return boto3.client(
            service,
            region_name="us-east-1",
            endpoint_url=ecs.meta.endpoint_url,
            aws_access_key_id=frozen.access_key,
            aws_secret_access_key=frozen.secret_key,
            config=Config(retries={"max_attempts": 0}, s3={"addressing_style": "path"}),
        )

    return make


@pytest.mark.parametrize(
    ("service", "operation", "arguments"),
    [
        ("s3", "list_buckets", {}),
        ("s3", "get_object", {"Bucket": "b", "Key": "k"}),
        ("s3", "put_object", {"Bucket": "b", "Key": "k", "Body": b"x"}),
        ("s3", "list_objects_v2", {"Bucket": "b"}),
        ("lambda", "invoke", {"FunctionName": "f"}),
        ("lambda", "list_functions", {}),
        ("ec2", "describe_instances", {}),
        ("sns", "list_topics", {}),
        ("iam", "list_roles", {}),
        ("sqs", "list_queues", {}),
        ("dynamodb", "list_tables", {}),
        ("secretsmanager", "list_secrets", {}),
        ("logs", "describe_log_groups", {}),
        ("cloudwatch", "list_metrics", {}),
        ("route53", "list_hosted_zones", {}),
    ],
)
def test_refused_with_a_text(
    client: Any, service: str, operation: str, arguments: dict[str, Any]
) -> None:
    with pytest.raises(ClientError) as caught:
        getattr(client(service), operation)(**arguments)
    error = caught.value.response["Error"]
    assert error["Code"] == "AccessDeniedException"
    assert "This endpoint is a pytest-kecs server" in error["Message"]
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_a_head_request_is_no_missing_object(client: Any) -> None:
    with pytest.raises(ClientError) as caught:
        client("s3").head_object(Bucket="b", Key="k")
    assert caught.value.response["Error"]["Code"] == "403"
