"""Tags, regions and accounts (ecs-facts 2, 14)."""

from __future__ import annotations

from typing import Any

import pytest
from api_steps import SLEEP
from api_steps import container
from api_steps import refusal
from api_steps import register
from api_steps import run
from api_steps import wait_stopped

from pytest_kecs.admin import AdminClient

pytestmark = pytest.mark.documented

INVALID = "InvalidParameterException"
CLUSTER = "arn:aws:ecs:us-east-1:123456789012:cluster/default"


def pairs(**tags: str) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in tags.items()]


@pytest.fixture
def resources(cluster: Any) -> dict[str, str]:
    """One ARN of each kind that can have tags."""
    definition = register(cluster, "app", container(command=SLEEP))
    made = cluster.create_service(serviceName="web", taskDefinition="app", desiredCount=0)
    group = {"autoScalingGroupArn": "group"}
    provider = cluster.create_capacity_provider(name="group", autoScalingGroupProvider=group)
    return {
        "capacity-provider": provider["capacityProvider"]["capacityProviderArn"],
        "cluster": CLUSTER,
        "task-definition": definition,
        "task": run(cluster, "app")["taskArn"],
        "service": made["service"]["serviceArn"],
    }


@pytest.mark.parametrize(
    "kind", ["capacity-provider", "cluster", "service", "task", "task-definition"]
)
def test_tag_and_untag(ecs: Any, resources: dict[str, str], kind: str) -> None:
    arn = resources[kind]

    def listed() -> Any:
        return ecs.list_tags_for_resource(resourceArn=arn)["tags"]

    assert listed() == []
    ecs.tag_resource(resourceArn=arn, tags=pairs(a="1", b="2"))
    ecs.tag_resource(resourceArn=arn, tags=pairs(b="3", c=""))
    assert listed() == pairs(a="1", b="3", c="")
    ecs.untag_resource(resourceArn=arn, tagKeys=["a", "absent"])
    assert listed() == pairs(b="3", c="")


@pytest.mark.parametrize(
    "tags",
    [
        pairs(**{"aws:x": "1"}),
        pairs(**{"AWS:x": "1"}),
        pairs(**{"k" * 129: "1"}),
        pairs(k="v" * 257),
        pairs(**{"k!": "1"}),
        pairs(**{"": "1"}),
        pairs(**{"a\tb": "1"}),
        pairs(k="a\nb"),
        pairs(k="\N{SPOUTING WHALE}"),
        pairs(a="1") * 2,
        pairs(**{f"k{number}": "" for number in range(51)}),
    ],
)
def test_limits(cluster: Any, tags: list[dict[str, str]]) -> None:
    assert refusal(cluster.tag_resource, resourceArn=CLUSTER, tags=tags)[0] == INVALID
    assert cluster.list_tags_for_resource(resourceArn=CLUSTER)["tags"] == []


def test_longest_and_oddest(cluster: Any) -> None:
    tags = pairs(**{"k" * 128: "v" * 256, "äß 漢字_.:/=+-@": "١٢ ", "AWS": "aws:x", "aws": ""})
    cluster.tag_resource(resourceArn=CLUSTER, tags=tags)
    assert cluster.list_tags_for_resource(resourceArn=CLUSTER)["tags"] == tags


def test_at_most_fifty_in_all(cluster: Any) -> None:
    for start in (0, 25):
        tags = pairs(**{f"k{number}": "" for number in range(start, start + 25)})
        cluster.tag_resource(resourceArn=CLUSTER, tags=tags)
    answer = refusal(cluster.tag_resource, resourceArn=CLUSTER, tags=pairs(one_more=""))
    assert answer[0] == INVALID
    cluster.tag_resource(resourceArn=CLUSTER, tags=pairs(k0="changed"))


@pytest.mark.inferred
@pytest.mark.parametrize(
    ("arn", "code"),
    [
        ("arn:aws:ecs:us-east-1:123456789012:cluster/ghost", "ClusterNotFoundException"),
        ("arn:aws:ecs:us-east-1:123456789012:service/default/ghost", "ServiceNotFoundException"),
        ("arn:aws:ecs:us-east-1:123456789012:task/default/" + "0" * 32, "ResourceNotFound"),
        ("arn:aws:ecs:us-east-1:123456789012:task-definition/ghost:1", "ClientException"),
        ("arn:aws:ecs:us-east-1:123456789012:capacity-provider/ghost", "ResourceNotFound"),
        ("arn:aws:ecs:eu-west-1:123456789012:cluster/default", INVALID),
        ("arn:aws:ecs:us-east-1:999999999999:cluster/default", INVALID),
        ("arn:aws-cn:ecs:us-east-1:123456789012:cluster/default", INVALID),
        ("arn:aws:s3:::bucket", INVALID),
        ("nonsense", INVALID),
    ],
)
def test_unknown_resources(cluster: Any, arn: str, code: str) -> None:
    assert refusal(cluster.list_tags_for_resource, resourceArn=arn)[0].startswith(code)


@pytest.mark.inferred
def test_stopped_tasks_and_deleted_clusters(ecs: Any, resources: dict[str, str]) -> None:
    ecs.stop_task(task=resources["task"])
    wait_stopped(ecs, resources["task"])
    answer = refusal(ecs.tag_resource, resourceArn=resources["task"], tags=pairs(a="1"))
    assert answer[0] == INVALID
    ecs.delete_service(service="web")
    ecs.get_waiter("services_inactive").wait(services=["web"])
    ecs.delete_cluster(cluster="default")
    for call in (ecs.tag_resource, ecs.list_tags_for_resource):
        params = {"tags": pairs(a="1")} if call == ecs.tag_resource else {}
        assert refusal(call, resourceArn=CLUSTER, **params) == (
            INVALID,
            "The specified cluster is inactive. Specify an active cluster and try again.",
        )


@pytest.mark.parametrize("operation", ["untag_resource", "tag_resource"])
def test_what_ecs_manages_stays(cluster: Any, operation: str) -> None:
    register(cluster, "app", container(command=SLEEP))
    arn = run(cluster, "app", enableECSManagedTags=True, tags=pairs(a="1"))["taskArn"]
    managed = pairs(**{"a": "1", "aws:ecs:clusterName": "default"})
    params = {"tagKeys": ["aws:ecs:clusterName"]} if operation == "untag_resource" else {}
    params = params or {"tags": pairs(**{"aws:ecs:clusterName": "x"})}
    assert refusal(getattr(cluster, operation), resourceArn=arn, **params)[0] == INVALID
    assert cluster.list_tags_for_resource(resourceArn=arn)["tags"] == managed
    # They do not count.
    cluster.tag_resource(resourceArn=arn, tags=pairs(**{f"k{n}": "" for n in range(49)}))
    assert len(cluster.list_tags_for_resource(resourceArn=arn)["tags"]) == 51


def test_inactive_definitions_can_be_tagged(ecs: Any) -> None:
    arn = register(ecs, "app", tags=pairs(a="1"))
    register(ecs, "app")
    ecs.deregister_task_definition(taskDefinition=arn)
    ecs.tag_resource(resourceArn=arn, tags=pairs(b="2"))
    assert ecs.list_tags_for_resource(resourceArn=arn)["tags"] == pairs(a="1", b="2")
    # A revision has its own.
    newer = arn.removesuffix(":1") + ":2"
    assert ecs.list_tags_for_resource(resourceArn=newer)["tags"] == []


@pytest.mark.documented
def test_tags_of_new_tasks(cluster: Any) -> None:
    register(cluster, "app", container(command=SLEEP), tags=pairs(a="definition", b="definition"))

    def tags(**params: Any) -> Any:
        arn = run(cluster, "app", **params)["taskArn"]
        return cluster.list_tags_for_resource(resourceArn=arn)["tags"]

    own = pairs(b="own", c="own")
    assert tags() == []
    assert tags(tags=own) == own
    # The request's own win over those that are handed down.
    inherited = pairs(a="definition", b="own", c="own")
    assert tags(tags=own, propagateTags="TASK_DEFINITION") == inherited
    managed = pairs(**{"aws:ecs:clusterName": "default"})
    assert tags(enableECSManagedTags=True) == managed
    many = pairs(**{f"k{number}": "" for number in range(49)})
    call = cluster.run_task
    params = {"taskDefinition": "app", "propagateTags": "TASK_DEFINITION", "tags": many}
    assert refusal(call, **params)[0] == INVALID
    assert refusal(call, taskDefinition="app", propagateTags="SERVICE")[0] == INVALID
    assert refusal(call, taskDefinition="app", tags=pairs(a="1") * 2)[0] == INVALID
    assert len(cluster.list_tasks()["taskArns"]) == 4


def test_short_arns_cannot_be_tagged(cluster: Any) -> None:
    arn = f"arn:aws:ecs:us-east-1:123456789012:task/{'0' * 32}"
    assert refusal(cluster.list_tags_for_resource, resourceArn=arn) == (
        INVALID,
        "Long arn format must be used for tagging operations",
    )


def test_regions_and_partitions_are_apart(ecs: Any, new_client: Any) -> None:
    for region, partition in (
        ("eu-west-1", "aws"),
        ("cn-north-1", "aws-cn"),
        ("us-gov-west-1", "aws-us-gov"),
    ):
        client = new_client(region=region)
        made = client.create_cluster()["cluster"]["clusterArn"]
        assert made == f"arn:{partition}:ecs:{region}:123456789012:cluster/default"
        assert client.list_clusters()["clusterArns"] == [made]
    assert ecs.list_clusters()["clusterArns"] == []


def test_accounts_are_apart(cluster: Any, new_client: Any, admin: AdminClient) -> None:
    other = new_client(key=admin.new_key("999999999999"))
    assert other.list_clusters()["clusterArns"] == []
    arn = other.create_cluster()["cluster"]["clusterArn"]
    assert arn == "arn:aws:ecs:us-east-1:999999999999:cluster/default"
    assert refusal(cluster.list_tasks, cluster=arn) == (INVALID, "AccountIDs mismatch")
    sts = new_client("sts", key=admin.new_key("999999999999"))
    identity = sts.get_caller_identity()
    assert (identity["Account"], identity["Arn"]) == (
        "999999999999",
        "arn:aws:iam::999999999999:root",
    )


def test_paging_is_stable_while_others_come(ecs: Any) -> None:
    for name in ("b", "d", "f", "h"):
        ecs.create_cluster(clusterName=name)
    first = ecs.list_clusters(maxResults=2)
    for name in ("a", "c", "e"):
        ecs.create_cluster(clusterName=name)
    rest = ecs.list_clusters(nextToken=first["nextToken"])["clusterArns"]
    names = [arn.rpartition("/")[2] for arn in (*first["clusterArns"], *rest)]
    assert names == ["b", "d", "e", "f", "h"]
    pages = ecs.get_paginator("list_clusters").paginate(PaginationConfig={"PageSize": 3})
    assert len(pages.build_full_result()["clusterArns"]) == 7


@pytest.mark.inferred
@pytest.mark.parametrize("token", ["nonsense", "bnVsbA==", "WzEsMl0=", "e30=", "ü"])
def test_bad_tokens(cluster: Any, token: str) -> None:
    assert refusal(cluster.list_clusters, nextToken=token)[0] == INVALID


@pytest.mark.parametrize("size", [0, 101, -1])
def test_bad_page_sizes(cluster: Any, size: int) -> None:
    assert refusal(cluster.list_clusters, maxResults=size)[0] == INVALID
