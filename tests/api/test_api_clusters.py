"""Clusters (ecs-facts 3)."""

from __future__ import annotations

from typing import Any

import pytest
from api_steps import SLEEP
from api_steps import container
from api_steps import refusal
from api_steps import register
from api_steps import register_fargate
from api_steps import run
from api_steps import seen
from api_steps import service
from api_steps import wait_running
from api_steps import wait_stable
from api_steps import wait_stopped

from pytest_kecs.admin import AdminClient

pytestmark = pytest.mark.captured

ACCOUNT = "123456789012"
NOT_FOUND = ("ClusterNotFoundException", "Cluster not found.")
STATISTICS = [
    "runningEC2TasksCount",
    "runningFargateTasksCount",
    "pendingEC2TasksCount",
    "pendingFargateTasksCount",
    "runningExternalTasksCount",
    "pendingExternalTasksCount",
    "runningManagedInstancesTasksCount",
    "pendingManagedInstancesTasksCount",
    "activeEC2ServiceCount",
    "activeFargateServiceCount",
    "drainingEC2ServiceCount",
    "drainingFargateServiceCount",
    "activeExternalServiceCount",
    "drainingExternalServiceCount",
    "activeManagedInstancesServiceCount",
    "drainingManagedInstancesServiceCount",
]


def test_what_create_returns(ecs: Any) -> None:
    cluster = ecs.create_cluster()["cluster"]
    assert cluster == {
        "clusterArn": f"arn:aws:ecs:us-east-1:{ACCOUNT}:cluster/default",
        "clusterName": "default",
        "status": "ACTIVE",
        "registeredContainerInstancesCount": 0,
        "runningTasksCount": 0,
        "pendingTasksCount": 0,
        "activeServicesCount": 0,
        "statistics": [],
        "tags": [],
        "settings": [{"name": "containerInsights", "value": "disabled"}],
        "capacityProviders": [],
        "defaultCapacityProviderStrategy": [],
    }


@pytest.mark.inferred
@pytest.mark.parametrize("name", ["", "a b", "a.b", "ä", "a/b", "x\n", "x" * 256])
def test_bad_names(ecs: Any, name: str) -> None:
    code, message = refusal(ecs.create_cluster, clusterName=name)
    assert code == "InvalidParameterException"
    assert message.startswith("Cluster name ")
    assert ecs.list_clusters()["clusterArns"] == []


@pytest.mark.documented
def test_longest_name(ecs: Any) -> None:
    name = "aZ0-_" * 51
    assert ecs.create_cluster(clusterName=name)["cluster"]["clusterName"] == name


@pytest.mark.documented
@pytest.mark.parametrize("value", ["enabled", "disabled", "enhanced"])
def test_settings(ecs: Any, value: str) -> None:
    settings = [{"name": "containerInsights", "value": value}]
    assert ecs.create_cluster(settings=settings)["cluster"]["settings"] == settings


@pytest.mark.inferred
@pytest.mark.parametrize("operation", ["create_cluster", "update_cluster"])
def test_bad_setting(ecs: Any, operation: str) -> None:
    ecs.create_cluster(clusterName="c")
    name = {"clusterName": "d"} if operation == "create_cluster" else {"cluster": "c"}
    settings = [{"name": "containerInsights", "value": "maybe"}]
    assert refusal(getattr(ecs, operation), settings=settings, **name) == (
        "InvalidParameterException",
        "Invalid setting 'value'",
    )


def test_create_again(ecs: Any) -> None:
    arguments = {"clusterName": "c", "tags": [{"key": "a", "value": "b"}]}
    first = ecs.create_cluster(**arguments)["cluster"]
    assert ecs.create_cluster(**arguments)["cluster"] == first
    assert refusal(ecs.create_cluster, clusterName="c", tags=[{"key": "a", "value": "c"}]) == (
        "InvalidParameterException",
        "Arguments on this idempotent request are inconsistent with arguments used in previous "
        "request(s).",
    )
    assert ecs.describe_clusters(clusters=["c"], include=["TAGS"])["clusters"][0]["tags"] == [
        {"key": "a", "value": "b"}
    ]


def test_describe_without_names_is_the_default_cluster(ecs: Any) -> None:
    ecs.create_cluster(clusterName="other")
    answer = ecs.describe_clusters()
    assert answer["clusters"] == []
    arn = f"arn:aws:ecs:us-east-1:{ACCOUNT}:cluster/default"
    assert answer["failures"] == [{"arn": arn, "reason": "MISSING"}]
    ecs.create_cluster()
    assert [c["clusterName"] for c in ecs.describe_clusters()["clusters"]] == ["default"]


def test_describe_many(ecs: Any) -> None:
    arn = ecs.create_cluster(clusterName="c")["cluster"]["clusterArn"]
    answer = ecs.describe_clusters(clusters=["c", arn, "none", arn.replace("/c", "/none")])
    assert [c["clusterArn"] for c in answer["clusters"]] == [arn]
    assert answer["failures"] == [{"arn": arn.replace("/c", "/none"), "reason": "MISSING"}]


@pytest.mark.inferred
def test_include(ecs: Any) -> None:
    ecs.create_cluster(
        clusterName="c",
        tags=[{"key": "a", "value": "b"}],
        configuration={"executeCommandConfiguration": {"logging": "NONE"}},
    )
    (bare,) = ecs.describe_clusters(clusters=["c"])["clusters"]
    assert (bare["settings"], bare["tags"], bare["statistics"]) == ([], [], [])
    assert "configuration" not in bare
    assert "attachments" not in bare
    (full,) = ecs.describe_clusters(
        clusters=["c"],
        include=["ATTACHMENTS", "CONFIGURATIONS", "SETTINGS", "STATISTICS", "TAGS"],
    )["clusters"]
    assert full["tags"] == [{"key": "a", "value": "b"}]
    assert full["configuration"] == {"executeCommandConfiguration": {"logging": "NONE"}}
    assert full["settings"] == [{"name": "containerInsights", "value": "disabled"}]
    assert [item["name"] for item in full["statistics"]] == STATISTICS
    assert {item["value"] for item in full["statistics"]} == {"0"}
    assert refusal(ecs.describe_clusters, include=["BOGUS"])[0] == "ClientException"


@pytest.mark.inferred
def test_counts(cluster: Any, admin: AdminClient) -> None:
    register(cluster, "ec2", container(command=SLEEP))
    register_fargate(cluster, "far")
    network = {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}
    arns = [
        run(cluster, "ec2")["taskArn"],
        run(cluster, "far", launchType="FARGATE", networkConfiguration=network)["taskArn"],
    ]
    cluster.create_service(serviceName="idle", taskDefinition="ec2", desiredCount=0)
    cluster.create_service(serviceName="one", taskDefinition="ec2", desiredCount=1)
    wait_running(cluster, *arns)
    wait_stable(cluster, "one")
    described = cluster.describe_clusters(include=["STATISTICS"])["clusters"][0]
    assert described["runningTasksCount"] == 3
    assert described["pendingTasksCount"] == 0
    assert described["activeServicesCount"] == 2
    counts = {item["name"]: item["value"] for item in described["statistics"]}
    assert {name: value for name, value in counts.items() if value != "0"} == {
        "runningEC2TasksCount": "2",
        "runningFargateTasksCount": "1",
        "activeEC2ServiceCount": "2",
    }


@pytest.mark.inferred
def test_pending_count(cluster: Any, admin: AdminClient) -> None:
    wait = {"containerName": "first", "condition": "COMPLETE"}
    register(
        cluster,
        "app",
        container("first", essential=False, command=SLEEP),
        container(dependsOn=[wait]),
    )
    arn = run(cluster, "app")["taskArn"]
    (described,) = cluster.describe_clusters(include=["STATISTICS"])["clusters"]
    assert (described["runningTasksCount"], described["pendingTasksCount"]) == (0, 1)
    assert {"name": "pendingEC2TasksCount", "value": "1"} in described["statistics"]
    cluster.stop_task(task=arn)
    wait_stopped(cluster, arn)
    assert cluster.describe_clusters()["clusters"][0]["pendingTasksCount"] == 0


def test_update(ecs: Any) -> None:
    ecs.create_cluster(clusterName="c", tags=[{"key": "a", "value": "b"}])
    enabled = [{"name": "containerInsights", "value": "enabled"}]
    for operation in (ecs.update_cluster, ecs.update_cluster_settings):
        answer = operation(cluster="c", settings=enabled)["cluster"]
        assert answer["settings"] == enabled
        assert (answer["tags"], answer["attachments"]) == ([], [])
    (described,) = ecs.describe_clusters(clusters=["c"], include=["SETTINGS"])["clusters"]
    assert described["settings"] == enabled


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("delete_cluster", {"cluster": "none"}),
        ("update_cluster", {"cluster": "none"}),
        ("update_cluster_settings", {"cluster": "none", "settings": []}),
        ("list_tasks", {}),
        ("list_tasks", {"cluster": "arn:aws:ecs:us-east-1:123456789012:cluster/none"}),
        ("describe_tasks", {"tasks": ["a" * 32]}),
        ("stop_task", {"task": "a" * 32}),
        ("create_service", {"serviceName": "s", "taskDefinition": "none", "desiredCount": 1}),
        ("update_service", {"service": "s"}),
        ("delete_service", {"service": "s"}),
        ("describe_services", {"services": ["s"]}),
        ("list_services", {}),
    ],
)
def test_unknown_cluster(ecs: Any, operation: str, params: dict[str, Any]) -> None:
    assert refusal(getattr(ecs, operation), **params) == NOT_FOUND


@pytest.mark.parametrize("account", ["210987654321", ""])
def test_cluster_of_another_account(ecs: Any, account: str) -> None:
    arn = f"arn:aws:ecs:us-east-1:{account}:cluster/default"
    assert refusal(ecs.list_tasks, cluster=arn) == (
        "InvalidParameterException",
        "AccountIDs mismatch",
    )


@pytest.mark.inferred
@pytest.mark.parametrize(
    "text",
    [
        "arn:",
        "arn:aws:ecs",
        "arn:aws:ecs:us-east-1:123456789012:",
        "arn:aws:ecs:us-east-1:123456789012:cluster",
        "arn:aws:ecs:us-east-1:123456789012:cluster/",
        "arn:aws:ecs:us-east-1:123456789012:service/default/x",
    ],
)
def test_broken_cluster_arn(cluster: Any, text: str) -> None:
    assert refusal(cluster.list_tasks, cluster=text)[0] == "InvalidParameterException"


def test_delete(ecs: Any) -> None:
    ecs.create_cluster(clusterName="c", tags=[{"key": "a", "value": "b"}])
    assert ecs.delete_cluster(cluster="c")["cluster"]["status"] == "INACTIVE"
    assert ecs.list_clusters()["clusterArns"] == []
    (described,) = ecs.describe_clusters(clusters=["c"], include=["TAGS"])["clusters"]
    assert described["status"] == "INACTIVE"
    assert described["tags"] == [{"key": "a", "value": "b"}]
    assert ecs.delete_cluster(cluster="c")["cluster"]["status"] == "INACTIVE"
    assert ecs.create_cluster(clusterName="c")["cluster"]["status"] == "ACTIVE"
    (described,) = ecs.describe_clusters(clusters=["c"], include=["TAGS"])["clusters"]
    assert described["tags"] == []


@pytest.mark.inferred
def test_deleted_cluster_is_forgotten(ecs: Any, admin: AdminClient) -> None:
    ecs.create_cluster(clusterName="c")
    ecs.delete_cluster(cluster="c")
    admin.advance_clock(3601)
    answer = ecs.describe_clusters(clusters=["c"])
    assert [failure["reason"] for failure in answer["failures"]] == ["MISSING"]
    assert refusal(ecs.delete_cluster, cluster="c") == NOT_FOUND


@pytest.mark.inferred
def test_inactive_cluster(ecs: Any) -> None:
    register(ecs, "app")
    arn = ecs.create_cluster(clusterName="c")["cluster"]["clusterArn"]
    ecs.delete_cluster(cluster="c")
    assert refusal(ecs.update_cluster, cluster="c") == (
        "ClientException",
        "Cluster was not ACTIVE.",
    )
    inactive = "The referenced cluster was inactive."
    assert refusal(ecs.run_task, cluster="c", taskDefinition="app")[1] == inactive
    new_service = {"serviceName": "s", "taskDefinition": "app", "desiredCount": 1}
    assert refusal(ecs.create_service, cluster="c", **new_service)[1] == inactive
    untaggable = (
        "InvalidParameterException",
        "The specified cluster is inactive. Specify an active cluster and try again.",
    )
    tags = [{"key": "a", "value": "b"}]
    assert refusal(ecs.tag_resource, resourceArn=arn, tags=tags) == untaggable
    assert refusal(ecs.list_tags_for_resource, resourceArn=arn) == untaggable


def test_delete_with_content(cluster: Any, admin: AdminClient) -> None:
    register(cluster, "app", container(command=SLEEP))
    cluster.create_service(serviceName="s", taskDefinition="app", desiredCount=1)
    wait_stable(cluster, "s")
    # Services are looked at before tasks, and an idle one counts too.
    assert refusal(cluster.delete_cluster, cluster="default") == (
        "ClusterContainsServicesException",
        "The Cluster cannot be deleted while Services are active.",
    )
    cluster.update_service(service="s", desiredCount=0)
    assert refusal(cluster.delete_cluster, cluster="default")[0] == (
        "ClusterContainsServicesException"
    )
    cluster.delete_service(service="s")
    seen(admin, lambda: service(cluster, "s")["status"] == "INACTIVE")
    arn = run(cluster, "app")["taskArn"]
    assert refusal(cluster.delete_cluster, cluster="default") == (
        "ClusterContainsTasksException",
        "The Cluster cannot be deleted while Tasks are active.",
    )
    cluster.stop_task(task=arn)
    wait_stopped(cluster, arn)
    assert cluster.delete_cluster(cluster="default")["cluster"]["status"] == "INACTIVE"


CONFIGURATIONS = [
    {"executeCommandConfiguration": {"logging": "OVERRIDE"}},
    {"executeCommandConfiguration": {"logging": "OVERRIDE", "logConfiguration": {}}},
    {
        "executeCommandConfiguration": {
            "logging": "OVERRIDE",
            "logConfiguration": {"s3KeyPrefix": "x"},
        }
    },
    {
        "executeCommandConfiguration": {
            "logging": "DEFAULT",
            "logConfiguration": {"s3BucketName": "x"},
        }
    },
    {"executeCommandConfiguration": {"logging": "LOUD"}},
    {"managedStorageConfiguration": {"kmsKeyId": "mrk-0123456789abcdef"}},
]


@pytest.mark.documented
@pytest.mark.parametrize("configuration", CONFIGURATIONS)
def test_bad_configurations(cluster: Any, configuration: dict[str, Any]) -> None:
    refused = refusal(cluster.create_cluster, clusterName="c", configuration=configuration)
    assert refused[0] == "InvalidParameterException"
    refused = refusal(cluster.update_cluster, cluster="default", configuration=configuration)
    assert refused[0] == "InvalidParameterException"
    assert len(cluster.list_clusters()["clusterArns"]) == 1
    (now,) = cluster.describe_clusters(include=["CONFIGURATIONS"])["clusters"]
    assert "configuration" not in now


@pytest.mark.documented
def test_configurations(cluster: Any) -> None:
    override = {
        "logging": "OVERRIDE",
        "logConfiguration": {"cloudWatchLogGroupName": "g", "s3BucketName": "b"},
    }
    keys = {"kmsKeyId": "k", "fargateEphemeralStorageKmsKeyId": "f"}
    for configuration in (
        {"executeCommandConfiguration": override},
        {"managedStorageConfiguration": keys},
        {"executeCommandConfiguration": {"kmsKeyId": "k"}},
    ):
        answer = cluster.update_cluster(cluster="default", configuration=configuration)
        assert answer["cluster"]["configuration"] == configuration


@pytest.mark.documented
def test_service_connect_defaults(ecs: Any) -> None:
    def defaults(answer: Any) -> Any:
        return answer["cluster"].get("serviceConnectDefaults")

    made = defaults(ecs.create_cluster(serviceConnectDefaults={"namespace": "internal"}))
    prefix = "arn:aws:servicediscovery:us-east-1:123456789012:namespace/ns-"
    assert made["namespace"].startswith(prefix)
    # A name is always the same namespace, and its ARN is accepted.
    other = ecs.create_cluster(clusterName="o", serviceConnectDefaults={"namespace": "internal"})
    assert defaults(other) == made
    again = ecs.update_cluster(cluster="o", serviceConnectDefaults=made)
    assert defaults(again) == made
    taken = ecs.update_cluster(cluster="o", serviceConnectDefaults={"namespace": ""})
    assert defaults(taken) is None
    assert ecs.describe_clusters()["clusters"][0]["serviceConnectDefaults"] == made


@pytest.mark.documented
@pytest.mark.parametrize(
    "namespace",
    [
        "a/b",
        "a<b",
        'a"b',
        "x" * 1025,
        "arn:aws:servicediscovery:eu-west-1:123456789012:namespace/x",
    ],
)
def test_bad_namespaces(ecs: Any, namespace: str) -> None:
    refused = refusal(ecs.create_cluster, serviceConnectDefaults={"namespace": namespace})
    assert refused[0] == "InvalidParameterException"
    assert ecs.list_clusters()["clusterArns"] == []


@pytest.mark.inferred
@pytest.mark.parametrize("setting", [{"name": "other", "value": "enabled"}, {"value": "enabled"}])
def test_bad_setting_names(ecs: Any, setting: dict[str, str]) -> None:
    assert refusal(ecs.create_cluster, settings=[setting]) == (
        "InvalidParameterException",
        "Invalid setting 'name'",
    )
