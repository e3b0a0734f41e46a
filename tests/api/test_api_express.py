"""Express services: what one call makes, and what happens to it (the model's words)."""

from __future__ import annotations

from typing import Any

import pytest
from api_steps import FARGATE
from api_steps import SLEEP
from api_steps import container
from api_steps import refusal
from api_steps import register
from api_steps import seen
from api_steps import service
from api_steps import task
from api_steps import wait_stable
from service_steps import INVALID
from service_steps import PREFIX

from pytest_kecs.admin import AdminClient

pytestmark = pytest.mark.documented

INFRASTRUCTURE = "arn:aws:iam::123456789012:role/infrastructure"
EXECUTION = "arn:aws:iam::123456789012:role/execution"
REQUEST = {
    "infrastructureRoleArn": INFRASTRUCTURE,
    "executionRoleArn": EXECUTION,
    "primaryContainer": {"image": "busybox:1.36", "command": SLEEP},
    "serviceName": "s",
}


def create(ecs: Any, **params: Any) -> Any:
    return ecs.create_express_gateway_service(**{**REQUEST, **params})["service"]


def described(ecs: Any, arn: str, **params: Any) -> Any:
    return ecs.describe_express_gateway_service(serviceArn=arn, **params)["service"]


def definition(ecs: Any, configuration: Any) -> Any:
    answer = ecs.describe_task_definition(taskDefinition=configuration["taskDefinitionArn"])
    return answer["taskDefinition"]


def test_a_service_is_made_with_all_that_it_needs(ecs: Any) -> None:
    made = create(ecs, tags=[{"key": "a", "value": "b"}])
    arn = f"{PREFIX}service/default/s"
    assert made["serviceArn"] == arn
    assert made["serviceName"] == "s"
    assert made["cluster"] == "default"
    assert made["infrastructureRoleArn"] == INFRASTRUCTURE
    assert made["status"] == {"statusCode": "ACTIVE"}
    assert made["tags"] == [{"key": "a", "value": "b"}]
    (configuration,) = made["activeConfigurations"]
    assert configuration["executionRoleArn"] == EXECUTION
    assert configuration["cpu"] == "256"
    assert configuration["memory"] == "512"
    assert configuration["cpuArchitecture"] == "X86_64"
    assert configuration["healthCheckPath"] == "/ping"
    assert configuration["scalingTarget"] == {
        "minTaskCount": 1,
        "maxTaskCount": 20,
        "autoScalingMetric": "AVERAGE_CPU",
        "autoScalingTargetValue": 60,
    }
    assert configuration["primaryContainer"]["image"] == "busybox:1.36"
    assert configuration["primaryContainer"]["containerPort"] == 80
    assert configuration["primaryContainer"]["awsLogsConfiguration"]["logStreamPrefix"] == "ecs"
    (path,) = configuration["ingressPaths"]
    assert path["accessType"] == "PUBLIC"
    assert path["endpoint"].endswith(".ecs.us-east-1.on.aws")
    assert len(configuration["networkConfiguration"]["subnets"]) >= 2


def test_the_service_underneath_is_one_of_ecs(ecs: Any) -> None:
    made = create(ecs)
    (cluster,) = ecs.describe_clusters()["clusters"]
    assert cluster["capacityProviders"] == ["FARGATE"]
    underneath = service(ecs, "s")
    assert underneath["resourceManagementType"] == "ECS"
    assert underneath["desiredCount"] == 1
    assert underneath["capacityProviderStrategy"] == [
        {"capacityProvider": "FARGATE", "base": 1, "weight": 1}
    ]
    assert underneath["propagateTags"] == "SERVICE"
    assert underneath["enableECSManagedTags"] is True
    assert ecs.list_services(resourceManagementType="ECS")["serviceArns"] == [made["serviceArn"]]
    assert ecs.list_services(resourceManagementType="CUSTOMER")["serviceArns"] == []
    registered = definition(ecs, made["activeConfigurations"][0])
    assert underneath["taskDefinition"] == registered["taskDefinitionArn"]
    assert registered["networkMode"] == "awsvpc"
    assert registered["requiresCompatibilities"] == ["FARGATE"]
    (main,) = registered["containerDefinitions"]
    assert main["name"] == "Main"
    assert main["linuxParameters"]["initProcessEnabled"] is True
    assert main["stopTimeout"] == 30
    (mapping,) = main["portMappings"]
    assert (mapping["containerPort"], mapping["protocol"]) == (80, "tcp")


def test_its_tasks_run(ecs: Any) -> None:
    create(ecs, scalingTarget={"minTaskCount": 2}, tags=[{"key": "a", "value": "b"}])
    wait_stable(ecs, "s")
    first, _ = ecs.list_tasks(serviceName="s")["taskArns"]
    running = task(ecs, first)
    assert running["lastStatus"] == "RUNNING"
    assert running["launchType"] == "FARGATE"
    assert running["capacityProviderName"] == "FARGATE"
    assert {"key": "a", "value": "b"} in running["tags"]


def test_what_is_given_is_given_back(ecs: Any) -> None:
    ecs.create_cluster(clusterName="c")
    request: dict[str, Any] = {
        "cluster": "c",
        "taskRoleArn": "arn:aws:iam::123456789012:role/task",
        "cpu": "512",
        "memory": "1024",
        "cpuArchitecture": "X86_64",
        "healthCheckPath": "/health?format=json",
        "networkConfiguration": {"subnets": ["subnet-1"], "securityGroups": ["sg-1"]},
        "primaryContainer": {
            "image": "busybox:1.36",
            "containerPort": 8080,
            "command": SLEEP,
            "awsLogsConfiguration": {"logGroup": "g", "logStreamPrefix": "p"},
            "repositoryCredentials": {"credentialsParameter": "secret"},
            "environment": [{"name": "A", "value": "1"}],
            "secrets": [{"name": "S", "valueFrom": "/app/s"}],
        },
        "scalingTarget": {
            "minTaskCount": 0,
            "maxTaskCount": 3,
            "autoScalingMetric": "REQUEST_COUNT_PER_TARGET",
            "autoScalingTargetValue": 1000,
        },
    }
    made = create(ecs, **request)
    assert made["serviceArn"] == f"{PREFIX}service/c/s"
    assert service(ecs, "s", "c")["launchType"] == "FARGATE"
    (configuration,) = made["activeConfigurations"]
    expected = {name: value for name, value in request.items() if name != "cluster"}
    assert {name: configuration[name] for name in expected} == expected


def test_a_name_is_made_of_the_image(ecs: Any) -> None:
    request = {name: value for name, value in REQUEST.items() if name != "serviceName"}
    request["primaryContainer"] = {"image": "x/y/web.app:1"}
    made = ecs.create_express_gateway_service(**request)["service"]
    assert made["serviceName"].startswith("web-app-")


@pytest.mark.parametrize(
    "params",
    [
        {"healthCheckPath": "health"},
        {"scalingTarget": {"minTaskCount": 3, "maxTaskCount": 2}},
        {"scalingTarget": {"minTaskCount": 21}},
        {"scalingTarget": {"autoScalingMetric": "CPU"}},
        {"scalingTarget": {"autoScalingTargetValue": 101}},
        {"scalingTarget": {"minTaskCount": -1}},
        {"cpuArchitecture": "MIPS"},
        {"infrastructureRoleArn": "role"},
        {"primaryContainer": {"image": "x", "containerPort": 0}},
        {"primaryContainer": {"image": "x", "repositoryCredentials": {}}},
        {"networkConfiguration": {"subnets": ["x"]}},
        {"serviceName": "a b"},
        {"taskDefinitionArn": "app:1"},
        {"tags": [{"key": "aws:x", "value": "y"}]},
    ],
    ids=str,
)
def test_what_is_refused_leaves_nothing_behind(ecs: Any, params: Any) -> None:
    request = {**REQUEST, **params}
    assert refusal(ecs.create_express_gateway_service, **request)[0] == INVALID
    assert ecs.list_clusters()["clusterArns"] == []
    assert ecs.list_task_definition_families()["families"] == []


@pytest.mark.parametrize("member", ["primaryContainer", "executionRoleArn"])
def test_there_must_be_something_to_run(ecs: Any, member: str) -> None:
    request = {name: value for name, value in REQUEST.items() if name != member}
    assert refusal(ecs.create_express_gateway_service, **request)[0] == INVALID


def test_sizes_that_fargate_lacks_are_refused(ecs: Any) -> None:
    refused = refusal(ecs.create_express_gateway_service, **REQUEST, cpu="256", memory="9999")
    assert refused[0] == "ClientException"
    assert ecs.list_task_definition_families()["families"] == []


def test_a_cluster_that_is_named_must_be_there(ecs: Any) -> None:
    refused = refusal(ecs.create_express_gateway_service, **REQUEST, cluster="none")
    assert refused[0] == "ClusterNotFoundException"


MAPPING = {"name": "web", "containerPort": 8080}


def own_definition(ecs: Any, **members: Any) -> str:
    main = container("Main", portMappings=[MAPPING], command=SLEEP)
    return register(ecs, "own", {**main, **members}, container("side"), **FARGATE)


def given_definition(arn: str) -> dict[str, Any]:
    return {
        "infrastructureRoleArn": INFRASTRUCTURE,
        "taskDefinitionArn": arn,
        "serviceName": "s",
    }


def test_a_task_definition_of_ones_own_is_used(ecs: Any) -> None:
    arn = own_definition(ecs)
    made = ecs.create_express_gateway_service(**given_definition(arn))["service"]
    (configuration,) = made["activeConfigurations"]
    assert configuration["taskDefinitionArn"] == arn
    assert configuration["primaryContainer"]["containerPort"] == 8080
    assert "cpuArchitecture" not in configuration
    assert "executionRoleArn" not in configuration
    assert ecs.list_task_definition_families()["families"] == ["own"]


@pytest.mark.parametrize(
    "members",
    [
        {"name": "other"},
        {"portMappings": []},
        {"portMappings": [MAPPING, {"name": "two", "containerPort": 81}]},
        {"portMappings": [{"containerPort": 80}]},
        {"portMappings": [{**MAPPING, "protocol": "udp"}]},
    ],
    ids=str,
)
def test_a_task_definition_of_ones_own_needs_a_main_container(ecs: Any, members: Any) -> None:
    request = given_definition(own_definition(ecs, **members))
    assert refusal(ecs.create_express_gateway_service, **request)[0] == INVALID


def test_a_task_definition_of_ones_own_must_fit_fargate(ecs: Any) -> None:
    arn = register(ecs, "own", container("Main", portMappings=[MAPPING]))
    assert refusal(ecs.create_express_gateway_service, **given_definition(arn))[0] == INVALID


@pytest.mark.parametrize(
    "params",
    [
        {"primaryContainer": {"image": "x"}},
        {"executionRoleArn": EXECUTION},
        {"taskRoleArn": EXECUTION},
        {"cpu": "256"},
        {"memory": "512"},
        {"cpuArchitecture": "ARM64"},
    ],
    ids=lambda params: next(iter(params)),
)
def test_a_task_definition_excludes_its_parts(ecs: Any, params: Any) -> None:
    request = {**given_definition(own_definition(ecs)), **params}
    assert refusal(ecs.create_express_gateway_service, **request)[0] == INVALID
    arn = create(ecs)["serviceArn"]
    update = {"serviceArn": arn, "taskDefinitionArn": own_definition(ecs), **params}
    assert refusal(ecs.update_express_gateway_service, **update)[0] == INVALID


def test_an_update_makes_a_deployment_of_what_has_changed(ecs: Any, admin: AdminClient) -> None:
    made = create(ecs, taskRoleArn="arn:aws:iam::123456789012:role/task")
    (before,) = made["activeConfigurations"]
    wait_stable(ecs, "s")
    changed = {"image": "busybox:1.36", "command": ["sleep", "999"], "containerPort": 81}
    answer = ecs.update_express_gateway_service(
        serviceArn=made["serviceArn"], primaryContainer=changed, healthCheckPath="/other"
    )["service"]
    target = answer["targetConfiguration"]
    assert target["serviceRevisionArn"] != before["serviceRevisionArn"]
    assert target["taskDefinitionArn"] == before["taskDefinitionArn"][:-1] + "2"
    assert target["primaryContainer"] == {
        **changed,
        "awsLogsConfiguration": before["primaryContainer"]["awsLogsConfiguration"],
    }
    assert target["healthCheckPath"] == "/other"
    for member in ("taskRoleArn", "executionRoleArn", "cpu", "scalingTarget", "ingressPaths"):
        assert target[member] == before[member]
    assert answer["status"] == {"statusCode": "ACTIVE"}
    assert answer["updatedAt"] > made["updatedAt"]
    during = described(ecs, made["serviceArn"])["activeConfigurations"]
    assert [each["healthCheckPath"] for each in during] == ["/other", "/ping"]
    wait_stable(ecs, "s")
    (after,) = described(ecs, made["serviceArn"])["activeConfigurations"]
    assert after == target


def test_the_number_of_tasks_stays_within_the_scaling_target(ecs: Any) -> None:
    arn = create(ecs)["serviceArn"]

    def scale(**target: int) -> int:
        ecs.update_express_gateway_service(serviceArn=arn, scalingTarget=target)
        return int(service(ecs, "s")["desiredCount"])

    assert scale(minTaskCount=2) == 2
    assert scale(minTaskCount=0) == 2
    assert scale(maxTaskCount=1) == 1
    assert described(ecs, arn)["activeConfigurations"][0]["scalingTarget"]["maxTaskCount"] == 1


def test_a_refused_update_changes_nothing(ecs: Any) -> None:
    arn = create(ecs)["serviceArn"]
    before = described(ecs, arn)
    for params in (
        {"memory": "1024", "networkConfiguration": {"subnets": ["x"]}},
        {"memory": "1024", "scalingTarget": {"minTaskCount": 30}},
    ):
        assert refusal(ecs.update_express_gateway_service, serviceArn=arn, **params)[0] == INVALID
    assert described(ecs, arn) == before
    assert len(ecs.list_task_definitions()["taskDefinitionArns"]) == 1


def test_an_update_of_ones_own_definition_needs_a_container(ecs: Any) -> None:
    request = given_definition(own_definition(ecs))
    arn = ecs.create_express_gateway_service(**request)["service"]["serviceArn"]
    assert refusal(ecs.update_express_gateway_service, serviceArn=arn, cpu="512")[0] == INVALID
    update = {name: REQUEST[name] for name in ("primaryContainer", "executionRoleArn")}
    answer = ecs.update_express_gateway_service(serviceArn=arn, **update)["service"]
    assert answer["targetConfiguration"]["taskDefinitionArn"].endswith("/default-s:1")


def test_a_deleted_service_drains(ecs: Any, admin: AdminClient) -> None:
    arn = create(ecs)["serviceArn"]
    wait_stable(ecs, "s")
    gone = ecs.delete_express_gateway_service(serviceArn=arn)["service"]
    assert gone["status"] == {"statusCode": "DRAINING"}
    for ask in (ecs.delete_express_gateway_service, ecs.update_express_gateway_service):
        assert refusal(ask, serviceArn=arn)[0] == "ServiceNotActiveException"
    seen(admin, lambda: described(ecs, arn)["status"] == {"statusCode": "INACTIVE"})
    assert described(ecs, arn)["activeConfigurations"] == []
    assert service(ecs, "s")["status"] == "INACTIVE"


def managed(ecs: Any, made: Any) -> Any:
    """What the service's first revision says is managed."""
    arn = made["activeConfigurations"][0]["serviceRevisionArn"]
    (revision,) = ecs.describe_service_revisions(serviceRevisionArns=[arn])["serviceRevisions"]
    return revision["ecsManagedResources"]


def test_its_revision_says_what_is_managed(ecs: Any) -> None:
    made = create(ecs, healthCheckPath="/up", scalingTarget={"minTaskCount": 2, "maxTaskCount": 4})
    assert made["currentDeployment"] == service(ecs, "s")["currentServiceDeployment"]
    (configuration,) = made["activeConfigurations"]
    resources = managed(ecs, made)
    (path,) = resources["ingressPaths"]
    assert path["endpoint"] == configuration["ingressPaths"][0]["endpoint"]
    assert path["certificate"]["domainName"] == path["endpoint"]
    assert path["loadBalancer"]["status"] == "ACTIVE"
    assert path["loadBalancer"]["scheme"] == "internet-facing"
    assert [each["healthCheckPath"] for each in path["targetGroups"]] == ["/up", "/up"]
    target = resources["autoScaling"]["scalableTarget"]
    assert (target["minCapacity"], target["maxCapacity"]) == (2, 4)
    (policy,) = resources["autoScaling"]["applicationAutoScalingPolicies"]
    assert policy["policyType"] == "TargetTrackingScaling"
    assert policy["metric"] == "ECSServiceAverageCPUUtilization"
    assert policy["targetValue"] == 60
    logs = configuration["primaryContainer"]["awsLogsConfiguration"]["logGroup"]
    assert resources["logGroups"][0]["logGroupName"] == logs


def test_services_share_a_load_balancer(ecs: Any) -> None:
    (first,) = managed(ecs, create(ecs))["ingressPaths"]
    (second,) = managed(ecs, create(ecs, serviceName="t"))["ingressPaths"]
    assert second["loadBalancer"]["arn"] == first["loadBalancer"]["arn"]
    assert second["endpoint"] != first["endpoint"]


def test_tags_are_shown_to_who_asks(ecs: Any) -> None:
    arn = create(ecs, tags=[{"key": "a", "value": "b"}])["serviceArn"]
    assert described(ecs, arn)["tags"] == []
    ecs.tag_resource(resourceArn=arn, tags=[{"key": "c", "value": "d"}])
    assert len(described(ecs, arn, include=["TAGS"])["tags"]) == 2


def test_a_service_that_is_none_is_not_found(cluster: Any) -> None:
    register(cluster)
    cluster.create_service(serviceName="plain", taskDefinition="app", desiredCount=0)
    for name in ("none", "plain"):
        arn = f"{PREFIX}service/default/{name}"
        for ask, code in (
            (cluster.describe_express_gateway_service, "ResourceNotFoundException"),
            (cluster.update_express_gateway_service, "ServiceNotFoundException"),
            (cluster.delete_express_gateway_service, "ServiceNotFoundException"),
        ):
            assert refusal(ask, serviceArn=arn)[0] == code
            assert refusal(ask, serviceArn=name)[0] == INVALID
