"""Capacity providers of every kind (ecs-facts 3.4, 11.1, 11.2)."""

from __future__ import annotations

from typing import Any

import pytest
from api_steps import FARGATE
from api_steps import NETWORK
from api_steps import SLEEP
from api_steps import container
from api_steps import refusal
from api_steps import register
from api_steps import register_fargate
from api_steps import run
from api_steps import seen
from api_steps import task
from api_steps import wait_stopped

from pytest_kecs.admin import AdminClient

pytestmark = pytest.mark.documented

INVALID = "InvalidParameterException"
CLIENT = "ClientException"
PREFIX = "arn:aws:ecs:us-east-1:123456789012:capacity-provider/"
UNKNOWN = (
    "The specified capacity provider does not exist. Specify a valid name or ARN and try again."
)
IN_USE = (
    "ResourceInUseException",
    "The specified capacity provider is in use and cannot be removed.",
)
ROLE = "arn:aws:iam::123456789012:role/infrastructure"
TEMPLATE = {
    "ec2InstanceProfileArn": "arn:aws:iam::123456789012:instance-profile/instances",
    "networkConfiguration": {"subnets": ["subnet-1"], "securityGroups": ["sg-1"]},
}
SCALING = {"status": "ENABLED", "targetCapacity": 80}


def create_group(ecs: Any, name: str = "group", **members: Any) -> Any:
    settings = {"autoScalingGroupArn": f"asg-{name}", **members}
    answer = ecs.create_capacity_provider(name=name, autoScalingGroupProvider=settings)
    return answer["capacityProvider"]


def instances(template: dict[str, Any] | None = None, **members: Any) -> dict[str, Any]:
    """The settings of managed instances."""
    return {
        "infrastructureRoleArn": ROLE,
        "instanceLaunchTemplate": {**TEMPLATE, **(template or {})},
        **members,
    }


def create_instances(ecs: Any, admin: AdminClient, name: str = "mine", **params: Any) -> Any:
    """Create a provider of managed instances, and let it become ACTIVE."""
    params = {"cluster": "default", "managedInstancesProvider": instances(), **params}
    answer = ecs.create_capacity_provider(name=name, **params)
    admin.advance_clock(1)
    return answer["capacityProvider"]


def described(ecs: Any, *names: str, **params: Any) -> Any:
    answer = ecs.describe_capacity_providers(capacityProviders=list(names), **params)
    return answer["capacityProviders"]


def associate(ecs: Any, *names: str, default: list[dict[str, Any]] | None = None) -> Any:
    answer = ecs.put_cluster_capacity_providers(
        cluster="default",
        capacityProviders=list(names),
        defaultCapacityProviderStrategy=default or [],
    )
    return answer["cluster"]


def test_those_of_fargate_exist(ecs: Any) -> None:
    expected = [
        {
            "capacityProviderArn": PREFIX + name,
            "name": name,
            "status": "ACTIVE",
            "type": name,
            "tags": [],
        }
        for name in ("FARGATE", "FARGATE_SPOT")
    ]
    assert described(ecs) == expected
    for call in (ecs.delete_capacity_provider,):
        assert refusal(call, capacityProvider="FARGATE")[0] == CLIENT
    assert described(ecs) == expected


def test_a_group(ecs: Any) -> None:
    made = create_group(ecs, managedScaling=SCALING, managedTerminationProtection="ENABLED")
    assert made == {
        "capacityProviderArn": PREFIX + "group",
        "name": "group",
        "status": "ACTIVE",
        "type": "EC2_AUTOSCALING",
        "autoScalingGroupProvider": {
            "autoScalingGroupArn": "asg-group",
            "managedScaling": {
                "status": "ENABLED",
                "targetCapacity": 80,
                "minimumScalingStepSize": 1,
                "maximumScalingStepSize": 10000,
                "instanceWarmupPeriod": 300,
            },
            "managedTerminationProtection": "ENABLED",
            "managedDraining": "ENABLED",
        },
        "tags": [],
    }
    assert described(ecs, "group") == [made]
    plain = create_group(ecs, "plain")["autoScalingGroupProvider"]
    assert plain["managedScaling"]["status"] == "DISABLED"
    assert plain["managedTerminationProtection"] == "DISABLED"


@pytest.mark.parametrize(
    "name", ["aws-x", "AWSx", "ecs1", "EcsX", "fargate", "Fargate_x", "", "a b", "ä", "x" * 256]
)
def test_bad_names(ecs: Any, name: str) -> None:
    group = {"autoScalingGroupArn": "asg"}
    call = ecs.create_capacity_provider
    assert refusal(call, name=name, autoScalingGroupProvider=group)[0] == INVALID


def test_the_name_and_the_group_are_unique(ecs: Any) -> None:
    create_group(ecs)
    call = ecs.create_capacity_provider
    group = {"autoScalingGroupArn": "asg-group"}
    assert refusal(call, name="group", autoScalingGroupProvider=group) == (
        CLIENT,
        "The specified capacity provider already exists. To change the configuration of an "
        "existing capacity provider, update the capacity provider.",
    )
    assert refusal(call, name="other", autoScalingGroupProvider=group) == (
        CLIENT,
        "The specified Auto Scaling group ARN is already being used by another capacity provider. "
        "Specify a unique Auto Scaling group ARN and try again.",
    )


@pytest.mark.inferred
@pytest.mark.parametrize(
    "members",
    [
        {"managedScaling": {"targetCapacity": 0}},
        {"managedScaling": {"targetCapacity": 101}},
        {"managedScaling": {"minimumScalingStepSize": 0}},
        {"managedScaling": {"maximumScalingStepSize": 10001}},
        {"managedScaling": {"minimumScalingStepSize": 9, "maximumScalingStepSize": 8}},
        {"managedScaling": {"instanceWarmupPeriod": 10001}},
        {"managedTerminationProtection": "ENABLED"},
        {"autoScalingGroupArn": "arn:aws:s3:::bucket"},
        {"autoScalingGroupArn": ""},
    ],
)
def test_bad_groups(ecs: Any, members: dict[str, Any]) -> None:
    group = {"autoScalingGroupArn": "asg", **members}
    call = ecs.create_capacity_provider
    assert refusal(call, name="group", autoScalingGroupProvider=group)[0] == CLIENT
    create_group(ecs)
    members.pop("autoScalingGroupArn", None)
    if members:
        update = ecs.update_capacity_provider
        assert refusal(update, name="group", autoScalingGroupProvider=members)[0] == CLIENT
        assert described(ecs, "group")[0].get("updateStatus") is None


def test_kinds_are_apart(cluster: Any, admin: AdminClient) -> None:
    call = cluster.create_capacity_provider
    group = {"autoScalingGroupArn": "asg"}
    assert refusal(call, name="x")[0] == INVALID
    both = {"autoScalingGroupProvider": group, "managedInstancesProvider": instances()}
    assert refusal(call, name="x", **both)[0] == INVALID
    in_cluster = {"cluster": "default", "autoScalingGroupProvider": group}
    assert refusal(call, name="x", **in_cluster)[0] == INVALID
    assert refusal(call, name="x", managedInstancesProvider=instances())[0] == INVALID
    create_group(cluster)
    create_instances(cluster, admin)
    update = cluster.update_capacity_provider
    for name, settings in (
        ("group", {"managedInstancesProvider": instances()}),
        ("mine", {"autoScalingGroupProvider": {}}),
        ("mine", {}),
    ):
        assert refusal(update, name=name, **settings)[0] == INVALID


def test_life_of_managed_instances(cluster: Any, admin: AdminClient) -> None:
    given = instances(propagateTags="CAPACITY_PROVIDER")
    made = cluster.create_capacity_provider(
        name="mine", cluster="default", managedInstancesProvider=given
    )["capacityProvider"]
    assert (made["status"], made["updateStatus"]) == ("PROVISIONING", "CREATE_IN_PROGRESS")
    assert (made["type"], made["cluster"]) == ("MANAGED_INSTANCES", "default")
    assert made["managedInstancesProvider"]["propagateTags"] == "CAPACITY_PROVIDER"
    template = made["managedInstancesProvider"]["instanceLaunchTemplate"]
    assert {**template, **TEMPLATE} == template
    assert template["capacityOptionType"] == "ON_DEMAND"
    admin.advance_clock(1)
    (active,) = described(cluster, "mine")
    assert (active["status"], active["updateStatus"]) == ("ACTIVE", "CREATE_COMPLETE")
    new = {**TEMPLATE, "storageConfiguration": {"storageSizeGiB": 50}}
    updated = cluster.update_capacity_provider(
        name="mine",
        cluster="default",
        managedInstancesProvider={"infrastructureRoleArn": ROLE, "instanceLaunchTemplate": new},
    )["capacityProvider"]
    assert (updated["status"], updated["updateStatus"]) == ("ACTIVE", "UPDATE_IN_PROGRESS")
    assert refusal(cluster.delete_capacity_provider, capacityProvider="mine", cluster="default")[
        0
    ] == ("UpdateInProgressException")
    admin.advance_clock(1)
    (now,) = described(cluster, "mine")
    assert now["updateStatus"] == "UPDATE_COMPLETE"
    settings = now["managedInstancesProvider"]
    assert settings["instanceLaunchTemplate"]["storageConfiguration"] == {"storageSizeGiB": 50}
    assert settings["propagateTags"] == "CAPACITY_PROVIDER"
    gone = cluster.delete_capacity_provider(capacityProvider="mine", cluster="default")
    assert gone["capacityProvider"]["status"] == "DEPROVISIONING"
    assert gone["capacityProvider"]["updateStatus"] == "DELETE_IN_PROGRESS"
    admin.advance_clock(1)
    (gone,) = described(cluster, "mine")
    assert (gone["status"], gone["updateStatus"]) == ("INACTIVE", "DELETE_COMPLETE")


@pytest.mark.inferred
@pytest.mark.parametrize(
    "settings",
    [
        instances(infrastructureRoleArn="infrastructure"),
        instances({"ec2InstanceProfileArn": ROLE}),
        instances({"networkConfiguration": {"subnets": []}}),
        instances({"networkConfiguration": {"subnets": ["net-1"]}}),
        instances({"storageConfiguration": {"storageSizeGiB": 0}}),
        instances({"capacityOptionType": "RESERVED"}),
        instances({"capacityReservations": {"reservationPreference": "RESERVATIONS_FIRST"}}),
        instances(
            {"nitroEnclavesEnabled": True, "localStorageConfiguration": {"useLocalStorage": True}}
        ),
        instances(
            {"instanceRequirements": {"vCpuCount": {"min": 2, "max": 1}, "memoryMiB": {"min": 1}}}
        ),
        instances(infrastructureOptimization={"scaleInAfter": 3601}),
        instances(infrastructureOptimization={"scaleInAfter": -2}),
    ],
)
def test_bad_managed_instances(cluster: Any, settings: dict[str, Any]) -> None:
    call = cluster.create_capacity_provider
    params = {"name": "mine", "cluster": "default", "managedInstancesProvider": settings}
    assert refusal(call, **params)[0] in (INVALID, CLIENT)
    assert described(cluster, cluster="default") == []


def test_describe(cluster: Any, admin: AdminClient) -> None:
    create_group(cluster)
    create_instances(cluster, admin, tags=[{"key": "a", "value": "b"}])
    associate(cluster, "FARGATE")
    names = [item["name"] for item in described(cluster)]
    assert names == ["FARGATE", "FARGATE_SPOT", "group"]
    names = [item["name"] for item in described(cluster, cluster="default")]
    assert names == ["FARGATE", "mine"]
    answer = cluster.describe_capacity_providers(
        capacityProviders=["group", PREFIX + "group", "none"], cluster="default"
    )
    assert answer["capacityProviders"] == []
    assert answer["failures"] == [
        {"arn": PREFIX + name, "reason": "MISSING"} for name in ("group", "none")
    ]
    assert described(cluster, "mine")[0]["tags"] == []
    assert described(cluster, "mine", include=["TAGS"])[0]["tags"] == [{"key": "a", "value": "b"}]
    call = cluster.describe_capacity_providers
    assert refusal(call, capacityProviders=["x"] * 101)[0] == INVALID
    assert refusal(call, include=["BOGUS"])[0] == CLIENT
    assert refusal(call, cluster="none")[0] == "ClusterNotFoundException"


def test_describe_in_pages(ecs: Any) -> None:
    names = sorted(["FARGATE", "FARGATE_SPOT", *(f"g{number:02}" for number in range(11))])
    for name in names[2:]:
        create_group(ecs, name)
    seen_names, params = [], {}
    sizes = []
    while True:
        answer = ecs.describe_capacity_providers(**params)
        sizes.append(len(answer["capacityProviders"]))
        seen_names += [item["name"] for item in answer["capacityProviders"]]
        if "nextToken" not in answer:
            break
        params = {"nextToken": answer["nextToken"]}
    assert (seen_names, sizes) == (names, [10, 3])
    for size in (0, 11):
        assert refusal(ecs.describe_capacity_providers, maxResults=size)[0] == INVALID


def test_delete_a_group(cluster: Any, admin: AdminClient) -> None:
    create_group(cluster)
    associate(cluster, "group")
    answer = cluster.delete_capacity_provider(capacityProvider="group")["capacityProvider"]
    assert (answer["status"], answer["updateStatus"]) == ("ACTIVE", "DELETE_FAILED")
    assert answer["updateStatusReason"] == (
        "The capacity provider cannot be deleted because it is associated with cluster: default. "
        "Remove the capacity provider from the cluster and try again."
    )
    associate(cluster)
    answer = cluster.delete_capacity_provider(capacityProvider=PREFIX + "group")
    assert answer["capacityProvider"]["updateStatus"] == "DELETE_IN_PROGRESS"
    assert "updateStatusReason" not in answer["capacityProvider"]
    admin.advance_clock(1)
    assert described(cluster, "group")[0]["status"] == "INACTIVE"
    assert [item["name"] for item in described(cluster)] == ["FARGATE", "FARGATE_SPOT"]
    for call, params in (
        (cluster.delete_capacity_provider, {"capacityProvider": "group"}),
        (cluster.update_capacity_provider, {"name": "group", "autoScalingGroupProvider": {}}),
    ):
        assert refusal(call, **params) == (CLIENT, UNKNOWN)
    assert create_group(cluster)["status"] == "ACTIVE"
    cluster.delete_capacity_provider(capacityProvider="group")
    admin.advance_clock(3601)
    answer = cluster.describe_capacity_providers(capacityProviders=["group"])
    assert answer["failures"] == [{"arn": PREFIX + "group", "reason": "MISSING"}]


def test_associating_replaces(cluster: Any) -> None:
    strategy = [{"capacityProvider": "FARGATE", "weight": 1}]
    answer = associate(cluster, "FARGATE", "FARGATE_SPOT", default=strategy)
    assert answer["capacityProviders"] == ["FARGATE", "FARGATE_SPOT"]
    assert answer["defaultCapacityProviderStrategy"] == [
        {"capacityProvider": "FARGATE", "weight": 1, "base": 0}
    ]
    # Those of Fargate need no attachments, so nothing takes time.
    assert (answer["attachments"], answer["attachmentsStatus"]) == ([], "UPDATE_COMPLETE")
    assert associate(cluster, "FARGATE_SPOT")["capacityProviders"] == ["FARGATE_SPOT"]
    call = cluster.put_cluster_capacity_providers
    params: dict[str, Any] = {"cluster": "default", "defaultCapacityProviderStrategy": []}
    assert refusal(call, capacityProviders=["none"], **params) == (INVALID, UNKNOWN)
    params["defaultCapacityProviderStrategy"] = strategy
    assert refusal(call, capacityProviders=["FARGATE_SPOT"], **params) == (
        INVALID,
        "The specified capacity provider strategy cannot contain a capacity provider that is not "
        "associated with the cluster. Associate the capacity provider with the cluster and try "
        "again.",
    )
    assert refusal(call, capacityProviders=[], cluster="none", defaultCapacityProviderStrategy=[])[
        0
    ] == ("ClusterNotFoundException")


def test_attachments_of_managed_scaling(cluster: Any, admin: AdminClient) -> None:
    create_group(cluster, managedScaling=SCALING)
    answer = associate(cluster, "group", "FARGATE")
    assert answer["attachmentsStatus"] == "UPDATE_IN_PROGRESS"
    assert {(item["type"], item["status"]) for item in answer["attachments"]} == {
        ("as_policy", "PRECREATED"),
        ("managed_draining", "PRECREATED"),
    }
    for item in answer["attachments"]:
        assert {"name": "capacityProviderName", "value": "group"} in item["details"]
    call = cluster.put_cluster_capacity_providers
    params = {"cluster": "default", "defaultCapacityProviderStrategy": []}
    assert refusal(call, capacityProviders=[], **params) == (
        "UpdateInProgressException",
        "The specified cluster is in a busy state. Cluster attachments must be in UPDATE_COMPLETE "
        "or UPDATE_FAILED state before they can be updated. Wait and try again.",
    )
    admin.advance_clock(1)
    (now,) = cluster.describe_clusters(include=["ATTACHMENTS"])["clusters"]
    assert now["attachmentsStatus"] == "UPDATE_COMPLETE"
    assert {item["status"] for item in now["attachments"]} == {"CREATED"}
    assert [item["id"] for item in now["attachments"]] == [
        item["id"] for item in answer["attachments"]
    ]
    assert associate(cluster, "FARGATE")["attachments"] == []


def test_a_cluster_made_with_a_group(ecs: Any, admin: AdminClient) -> None:
    create_group(ecs, managedScaling=SCALING)
    made = ecs.create_cluster(capacityProviders=["group"])["cluster"]
    assert (made["status"], made["attachmentsStatus"]) == ("PROVISIONING", "UPDATE_IN_PROGRESS")
    admin.advance_clock(1)
    assert ecs.describe_clusters()["clusters"][0]["status"] == "ACTIVE"
    assert ecs.delete_cluster(cluster="default")["cluster"]["status"] == "DEPROVISIONING"
    admin.advance_clock(1)
    assert ecs.describe_clusters()["clusters"][0]["status"] == "INACTIVE"
    # A deleted cluster does not hold it.
    gone = ecs.delete_capacity_provider(capacityProvider="group")["capacityProvider"]
    assert gone["updateStatus"] == "DELETE_IN_PROGRESS"


def test_a_cluster_with_instances_of_its_own_is_not_deleted(
    cluster: Any, admin: AdminClient
) -> None:
    create_instances(cluster, admin)
    refused = refusal(cluster.delete_cluster, cluster="default")
    assert refused[0] == "ClusterContainsCapacityProviderException"
    cluster.delete_capacity_provider(capacityProvider="mine", cluster="default")
    assert cluster.delete_cluster(cluster="default")["cluster"]["status"] == "INACTIVE"


@pytest.mark.parametrize("kind", ["group", "mine"])
def test_tasks_of_a_provider(cluster: Any, admin: AdminClient, kind: str) -> None:
    create_group(cluster)
    create_instances(cluster, admin)
    associate(cluster, "group")
    register(cluster, "app", container(command=SLEEP), networkMode="awsvpc")
    strategy = [{"capacityProvider": kind, "weight": 1}]
    started = run(cluster, "app", capacityProviderStrategy=strategy, networkConfiguration=NETWORK)
    launch_type = {"group": "EC2", "mine": "MANAGED_INSTANCES"}[kind]
    assert (started["capacityProviderName"], started["launchType"]) == (kind, launch_type)
    assert "platformVersion" not in started
    assert "containerInstanceArn" in started
    word = {"group": "EC2", "mine": "ManagedInstances"}[kind]

    def counts() -> bool:
        (now,) = cluster.describe_clusters(include=["STATISTICS"])["clusters"]
        numbers = {item["name"]: item["value"] for item in now["statistics"]}
        return numbers[f"running{word}TasksCount"] == "1"

    assert seen(admin, counts)
    if kind == "group":
        call = cluster.put_cluster_capacity_providers
        params = {"cluster": "default", "defaultCapacityProviderStrategy": []}
        assert refusal(call, capacityProviders=[], **params) == IN_USE
    else:
        call = cluster.delete_capacity_provider
        assert refusal(call, capacityProvider="mine", cluster="default")[0] == CLIENT


@pytest.mark.inferred
def test_containers_know_what_they_run_on(cluster: Any, admin: AdminClient) -> None:
    create_instances(cluster, admin)
    check = ["sh", "-c", 'test "$AWS_EXECUTION_ENV" = AWS_ECS_MANAGED_INSTANCES']
    register(cluster, "app", container(command=check), networkMode="awsvpc")
    strategy = [{"capacityProvider": "mine", "weight": 1}]
    started = run(cluster, "app", capacityProviderStrategy=strategy, networkConfiguration=NETWORK)
    wait_stopped(cluster, started["taskArn"])
    assert task(cluster, started["taskArn"])["containers"][0]["exitCode"] == 0


def test_a_service_of_providers(cluster: Any, admin: AdminClient) -> None:
    for name in ("one", "two"):
        create_group(cluster, name)
    strategy = [
        {"capacityProvider": "one", "base": 1, "weight": 1},
        {"capacityProvider": "two", "base": 0, "weight": 2},
    ]
    associate(cluster, "one", "two", "FARGATE", default=strategy)
    register(cluster, "app", container(command=SLEEP))
    made = cluster.create_service(serviceName="web", taskDefinition="app", desiredCount=4)
    assert made["service"]["capacityProviderStrategy"] == strategy
    assert "launchType" not in made["service"]

    def tasks() -> Any:
        arns = cluster.list_tasks()["taskArns"]
        return cluster.describe_tasks(tasks=arns)["tasks"] if len(arns) == 4 else None

    running = seen(admin, tasks)
    names = [item["capacityProviderName"] for item in running]
    assert (names.count("one"), names.count("two")) == (2, 2)
    assert {item["launchType"] for item in running} == {"EC2"}
    call = cluster.put_cluster_capacity_providers
    params = {"cluster": "default", "defaultCapacityProviderStrategy": []}
    assert refusal(call, capacityProviders=["one"], **params) == IN_USE
    (now,) = cluster.describe_clusters(include=["STATISTICS"])["clusters"]
    numbers = {item["name"]: item["value"] for item in now["statistics"]}
    assert numbers["activeEC2ServiceCount"] == "1"


@pytest.mark.inferred
def test_a_provider_is_used_once_it_is_active(cluster: Any, admin: AdminClient) -> None:
    register(cluster, "app", container(command=SLEEP), networkMode="awsvpc")
    create = {"cluster": "default", "managedInstancesProvider": instances()}
    cluster.create_capacity_provider(name="mine", **create)
    strategy = [{"capacityProvider": "mine", "weight": 1}]
    params = {"capacityProviderStrategy": strategy, "networkConfiguration": NETWORK}
    assert refusal(cluster.run_task, taskDefinition="app", **params)[0] == INVALID
    admin.advance_clock(1)
    assert run(cluster, "app", **params)["launchType"] == "MANAGED_INSTANCES"


def test_kinds_are_not_mixed_in_a_strategy(cluster: Any) -> None:
    create_group(cluster)
    associate(cluster, "group", "FARGATE")
    register_fargate(cluster)
    strategy = [{"capacityProvider": name, "weight": 1} for name in ("group", "FARGATE")]
    params = {"capacityProviderStrategy": strategy, "networkConfiguration": NETWORK}
    assert refusal(cluster.run_task, taskDefinition="far", **params) == (
        INVALID,
        "A capacity provider strategy cannot contain a mix of capacity providers using Auto "
        "Scaling groups and Fargate providers. Specify one or the other and try again.",
    )


def test_a_provider_of_another_cluster(cluster: Any, admin: AdminClient) -> None:
    create_instances(cluster, admin)
    cluster.create_cluster(clusterName="other")
    call = cluster.put_cluster_capacity_providers
    params = {"cluster": "other", "defaultCapacityProviderStrategy": []}
    assert refusal(call, capacityProviders=["mine"], **params) == (INVALID, UNKNOWN)
    call = cluster.delete_capacity_provider
    assert refusal(call, capacityProvider="mine", cluster="other") == (CLIENT, UNKNOWN)


def test_a_new_cluster_with_a_provider_of_another(cluster: Any) -> None:
    create_group(cluster)
    associate(cluster, "group", "FARGATE")
    call = cluster.create_cluster
    assert refusal(call, clusterName="new", capacityProviders=["group"])[0] == INVALID
    assert refusal(call, clusterName="new", capacityProviders=["none"]) == (INVALID, UNKNOWN)
    assert len(cluster.list_clusters()["clusterArns"]) == 1
    made = call(clusterName="new", capacityProviders=["FARGATE"])["cluster"]
    assert (made["status"], made["capacityProviders"]) == ("ACTIVE", ["FARGATE"])


def test_describe_many_in_pages(ecs: Any) -> None:
    names = [f"g{number:02}" for number in range(12)]
    for name in names:
        create_group(ecs, name)
    call = ecs.describe_capacity_providers
    first = call(capacityProviders=[*names, "none"])
    assert (len(first["capacityProviders"]), len(first["failures"])) == (10, 1)
    second = call(capacityProviders=[*names, "none"], nextToken=first["nextToken"])
    assert (len(second["capacityProviders"]), second["failures"]) == (2, [])


def test_a_service_changes_its_capacity(cluster: Any, admin: AdminClient) -> None:
    create_group(cluster)
    associate(cluster, "group", "FARGATE")
    register(cluster, "far", container(command=SLEEP), **FARGATE)
    cluster.create_service(
        serviceName="web",
        taskDefinition="far",
        desiredCount=1,
        launchType="FARGATE",
        networkConfiguration=NETWORK,
    )

    def update(*names: str) -> Any:
        strategy = [{"capacityProvider": name, "weight": 1} for name in names]
        call = cluster.update_service
        return call(service="web", capacityProviderStrategy=strategy)["service"]

    def runs_on(*expected: str | None) -> bool:
        """Whether that is the launch type and the provider of its one task."""
        arns = cluster.list_tasks(serviceName="web")["taskArns"]
        tasks = cluster.describe_tasks(tasks=arns)["tasks"] if arns else []
        found = [(each["launchType"], each.get("capacityProviderName")) for each in tasks]
        return found == [expected]

    assert seen(admin, lambda: runs_on("FARGATE", None))
    changed = update("group")
    assert changed["capacityProviderStrategy"][0]["capacityProvider"] == "group"
    assert "platformVersion" not in changed
    assert seen(admin, lambda: runs_on("EC2", "group"))
    assert update("FARGATE")["platformVersion"] == "LATEST"
    assert seen(admin, lambda: runs_on("FARGATE", "FARGATE"))
    back = update()
    assert (back["launchType"], "capacityProviderStrategy" in back) == ("FARGATE", False)
    assert seen(admin, lambda: runs_on("FARGATE", None))
