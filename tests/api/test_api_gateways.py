"""Gateways, their associations with clusters and their routes to services (the model's words)."""

from __future__ import annotations

from typing import Any

import pytest
from api_steps import FARGATE
from api_steps import NETWORK
from api_steps import container
from api_steps import refusal
from api_steps import register
from api_steps import seen
from service_steps import INVALID
from service_steps import PREFIX

from pytest_kecs.admin import AdminClient

pytestmark = pytest.mark.documented

NOT_FOUND = "GatewayNotFoundException"
ROLE = "arn:aws:iam::123456789012:role/ecsInfrastructureRole"
CONNECTOR = {"portName": "web"}


def create(ecs: Any, name: str = "g", alb: Any = None, **params: Any) -> Any:
    request = {"name": name, "infrastructureRoleArn": ROLE, **params}
    return ecs.create_gateway(**{"configuration": {"hostSharedAlb": alb or {}}, **request})


def described(ecs: Any, name: str = "g") -> Any:
    return ecs.describe_gateway(gateway=name)["gateway"]


def associations(ecs: Any, **params: Any) -> dict[str, str]:
    """The status of each association, by gateway and cluster."""
    answer = ecs.list_gateway_cluster_associations(**params)
    return {
        f"{each['gatewayArn'].rpartition('/')[2]} {each['clusterArn'].rpartition('/')[2]}": each[
            "status"
        ]
        for each in answer["gatewayClusterAssociations"]
    }


def routes(ecs: Any, **params: Any) -> list[Any]:
    found: list[Any] = ecs.list_gateway_routes(**params)["gatewayRoutes"]
    return found


def statuses(ecs: Any, **params: Any) -> list[str]:
    return [route["status"] for route in routes(ecs, **params)]


@pytest.fixture
def app(cluster: Any) -> Any:
    """A client with a definition that has a named port, and a gateway of the default cluster."""
    mappings = [
        {"name": "web", "containerPort": 80},
        {"name": "admin", "containerPort": 81},
    ]
    register(cluster, "app", container(portMappings=mappings), **FARGATE)
    register(cluster, "plain", container(portMappings=mappings))
    create(cluster)
    cluster.associate_gateway_with_cluster(gateway="g", cluster="default")
    return cluster


def serve(app: Any, name: str = "s", **params: Any) -> Any:
    """Create a service without tasks that has a gateway connector."""
    request = {
        "serviceName": name,
        "taskDefinition": "app",
        "desiredCount": 0,
        "launchType": "FARGATE",
        "networkConfiguration": NETWORK,
        "gatewayConnectors": [CONNECTOR],
        **params,
    }
    return app.create_service(**request)["service"]


def test_a_gateway_is_active_at_once_and_has_the_defaults(ecs: Any) -> None:
    answer = create(ecs, tags=[{"key": "a", "value": "b"}])
    answer.pop("ResponseMetadata")
    assert answer == {"gatewayArn": f"{PREFIX}gateway/g", "name": "g", "status": "ACTIVE"}
    gateway = described(ecs)
    subnets = gateway["configuration"]["hostSharedAlb"]["networkConfiguration"].pop("subnets")
    assert len(subnets) == 3
    assert gateway.pop("createdAt") == gateway.pop("updatedAt")
    assert gateway == {
        "gatewayArn": f"{PREFIX}gateway/g",
        "name": "g",
        "status": "ACTIVE",
        "failures": [],
        "infrastructureRoleArn": ROLE,
        "deletionProtection": True,
        "accessType": "PUBLIC",
        "propagateTags": "GATEWAY",
        "tags": [{"key": "a", "value": "b"}],
        "configuration": {
            "hostSharedAlb": {
                "networkConfiguration": {"ipAddressType": "dualstack"},
                "scheme": "internet-facing",
                "port": 443,
                "protocol": "HTTPS",
                "maxAlbCount": 10,
                "currentAlbCount": 0,
                "httpDesync": "defensive",
            }
        },
    }


def test_what_a_gateway_is_given_is_given_back(ecs: Any) -> None:
    alb = {
        "networkConfiguration": {
            "inboundSecurityGroup": "sg-1",
            "subnets": ["subnet-1", "subnet-2"],
            "ipAddressType": "ipv4",
        },
        "scheme": "internal",
        "webACLArn": "arn:aws:wafv2:us-east-1:123456789012:regional/webacl/a/b",
        "accessLogs": {"destination": {"s3": {"bucket": "logs", "prefix": "p"}}},
        "port": 443,
        "protocol": "HTTPS",
        "maxAlbCount": 2,
        "httpDesync": "strictest",
        "testTrafficRules": {"header": {"name": "x-test", "values": ["1"]}},
    }
    create(ecs, alb=alb, deletionProtection=False, propagateTags="NONE")
    gateway = described(ecs, f"{PREFIX}gateway/g")
    assert gateway["configuration"]["hostSharedAlb"] == {**alb, "currentAlbCount": 0}
    assert gateway["accessType"] == "PRIVATE"
    assert gateway["deletionProtection"] is False
    assert gateway["propagateTags"] == "NONE"


@pytest.mark.parametrize(
    "params",
    [
        {"name": "n" * 256},
        {"infrastructureRoleArn": "role"},
        {"configuration": {}},
        {"configuration": {"hostSharedAlb": {"port": 80}}},
        {"configuration": {"hostSharedAlb": {"protocol": "HTTP"}}},
        {"configuration": {"hostSharedAlb": {"scheme": "public"}}},
        {"configuration": {"hostSharedAlb": {"maxAlbCount": 0}}},
        {"configuration": {"hostSharedAlb": {"accessLogs": {"destination": {}}}}},
        {"propagateTags": "SERVICE"},
        {"tags": [{"key": "aws:a", "value": "b"}]},
    ],
    ids=str,
)
def test_a_gateway_that_breaks_a_rule_is_refused(ecs: Any, params: Any) -> None:
    request = {"name": "g", "infrastructureRoleArn": ROLE, "configuration": {"hostSharedAlb": {}}}
    assert refusal(ecs.create_gateway, **{**request, **params})[0] == INVALID
    assert ecs.list_gateways()["gateways"] == []


@pytest.mark.inferred
@pytest.mark.parametrize(
    "alb",
    [
        {"networkConfiguration": {"subnets": ["vpc-1"]}},
        {"networkConfiguration": {"inboundSecurityGroup": "web"}},
        {"webACLArn": "arn:aws:iam::123456789012:role/a"},
        {"accessLogs": {"destination": {"s3": {"bucket": "X"}}}},
        {"testTrafficRules": {"header": {"name": "", "values": ["1"]}}},
        {"testTrafficRules": {"header": {"name": "x", "values": []}}},
    ],
    ids=str,
)
def test_a_setting_that_no_load_balancer_can_have_is_refused(ecs: Any, alb: Any) -> None:
    request = {"name": "g", "infrastructureRoleArn": ROLE}
    answer = refusal(ecs.create_gateway, **request, configuration={"hostSharedAlb": alb})
    assert answer[0] == INVALID


def test_a_name_is_taken_once(ecs: Any) -> None:
    create(ecs)
    request = {"name": "g", "infrastructureRoleArn": ROLE, "configuration": {"hostSharedAlb": {}}}
    assert refusal(ecs.create_gateway, **request)[0] == INVALID


def test_a_request_with_a_known_token_is_ignored(ecs: Any) -> None:
    first = create(ecs, clientToken="t")
    again = create(ecs, "other", clientToken="t")
    assert again["gatewayArn"] == first["gatewayArn"]
    assert [each["name"] for each in ecs.list_gateways()["gateways"]] == ["g"]


@pytest.mark.parametrize("token", ["t" * 65, "a b"])
@pytest.mark.inferred
def test_a_token_that_is_none_is_refused(ecs: Any, token: str) -> None:
    request = {"name": "g", "infrastructureRoleArn": ROLE, "configuration": {"hostSharedAlb": {}}}
    assert refusal(ecs.create_gateway, **request, clientToken=token)[0] == INVALID


@pytest.mark.parametrize(
    ("call", "params"),
    [
        ("describe_gateway", {}),
        ("delete_gateway", {}),
        ("update_gateway", {}),
        ("describe_gateway_resources", {}),
        ("associate_gateway_with_cluster", {"cluster": "default"}),
        ("disassociate_gateway_from_cluster", {"cluster": "default"}),
        ("list_gateway_routes", {}),
    ],
)
def test_an_unknown_gateway_is_not_found(cluster: Any, call: str, params: Any) -> None:
    ask = getattr(cluster, call)
    assert refusal(ask, gateway="none", **params)[0] == NOT_FOUND
    assert refusal(ask, gateway=f"{PREFIX}gateway/none", **params)[0] == NOT_FOUND
    assert refusal(ask, gateway=f"{PREFIX}cluster/none", **params)[0] == INVALID
    other = "arn:aws:ecs:eu-west-1:123456789012:gateway/none"
    assert refusal(ask, gateway=other, **params) == (INVALID, "Regions mismatch")


def test_an_update_takes_its_time_and_changes_what_it_names(ecs: Any, admin: AdminClient) -> None:
    create(ecs, alb={"httpDesync": "monitor", "maxAlbCount": 3})
    answer = ecs.update_gateway(
        gateway="g",
        infrastructureRoleArn=f"{ROLE}2",
        deletionProtection=False,
        propagateTags="NONE",
        configuration={
            "hostSharedAlb": {
                "maxAlbCount": 5,
                "networkConfiguration": {"inboundSecurityGroup": "sg-2"},
            }
        },
    )
    assert answer["status"] == "UPDATE_IN_PROGRESS"
    seen(admin, lambda: described(ecs)["status"] == "UPDATE_COMPLETE")
    gateway = described(ecs)
    assert gateway["infrastructureRoleArn"] == f"{ROLE}2"
    assert gateway["deletionProtection"] is False
    assert gateway["propagateTags"] == "NONE"
    assert gateway["updatedAt"] > gateway["createdAt"]
    alb = gateway["configuration"]["hostSharedAlb"]
    assert alb["maxAlbCount"] == 5
    assert alb["httpDesync"] == "monitor"
    assert alb["networkConfiguration"]["inboundSecurityGroup"] == "sg-2"
    assert alb["networkConfiguration"]["ipAddressType"] == "dualstack"


@pytest.mark.parametrize(
    "params",
    [
        {"configuration": {}},
        {"configuration": {"hostSharedAlb": {"maxAlbCount": -1}}},
        {"infrastructureRoleArn": "x"},
    ],
    ids=str,
)
def test_a_refused_update_changes_nothing(ecs: Any, params: Any) -> None:
    create(ecs)
    before = described(ecs)
    refused = refusal(ecs.update_gateway, gateway="g", deletionProtection=False, **params)
    assert refused[0] == INVALID
    assert described(ecs) == before


def test_a_protected_gateway_cannot_be_deleted(ecs: Any) -> None:
    create(ecs)
    assert refusal(ecs.delete_gateway, gateway="g")[0] == INVALID
    ecs.update_gateway(gateway="g", deletionProtection=False)
    assert ecs.delete_gateway(gateway="g")["status"] == "DELETED"
    assert refusal(ecs.describe_gateway, gateway="g")[0] == NOT_FOUND
    create(ecs)


def test_gateways_are_listed_by_name_and_status(ecs: Any, admin: AdminClient) -> None:
    for name in ("a", "b", "c"):
        create(ecs, name)
    ecs.update_gateway(gateway="b")
    seen(admin, lambda: described(ecs, "b")["status"] == "UPDATE_COMPLETE")

    def names(**params: Any) -> list[str]:
        return [each["name"] for each in ecs.list_gateways(**params)["gateways"]]

    assert names() == ["a", "b", "c"]
    assert names(names=["c", "a", "x"]) == ["a", "c"]
    assert names(status=["ACTIVE"]) == ["a", "c"]
    assert names(status=["ACTIVE", "UPDATE_COMPLETE"], names=["b"]) == ["b"]
    assert names(status=["DELETED"]) == []
    assert refusal(ecs.list_gateways, names=[str(n) for n in range(11)])[0] == INVALID
    assert refusal(ecs.list_gateways, status=["GONE"])[0] == INVALID
    pages = ecs.get_paginator("list_gateways").paginate(PaginationConfig={"PageSize": 2})
    assert [[each["name"] for each in page["gateways"]] for page in pages] == [["a", "b"], ["c"]]


def test_gateways_have_tags(ecs: Any) -> None:
    arn = create(ecs, tags=[{"key": "a", "value": "1"}])["gatewayArn"]
    ecs.tag_resource(resourceArn=arn, tags=[{"key": "b", "value": "2"}])
    ecs.untag_resource(resourceArn=arn, tagKeys=["a"])
    assert ecs.list_tags_for_resource(resourceArn=arn)["tags"] == [{"key": "b", "value": "2"}]
    assert described(ecs)["tags"] == [{"key": "b", "value": "2"}]


def test_associations_come_and_go(cluster: Any, admin: AdminClient) -> None:
    cluster.create_cluster(clusterName="two")
    create(cluster, deletionProtection=False)
    create(cluster, "h")
    for name, where in (("g", "default"), ("g", "two"), ("h", "two"), ("h", "two")):
        answer = cluster.associate_gateway_with_cluster(gateway=name, cluster=where)
        assert answer["status"] == "ACTIVE"
    assert set(associations(cluster)) == {"g default", "g two", "h two"}
    assert set(associations(cluster, gateway="g")) == {"g default", "g two"}
    assert set(associations(cluster, cluster="two")) == {"g two", "h two"}
    assert set(associations(cluster, gateway=f"{PREFIX}gateway/h", cluster="default")) == set()
    assert associations(cluster, status=["DISASSOCIATING"]) == {}
    assert refusal(cluster.delete_gateway, gateway="g")[0] == INVALID
    for where in ("default", "two"):
        answer = cluster.disassociate_gateway_from_cluster(gateway="g", cluster=where)
        assert answer["status"] == "DISASSOCIATING"
    seen(admin, lambda: associations(cluster) == {"h two": "ACTIVE"})
    cluster.delete_gateway(gateway="g")


def test_a_cluster_has_at_most_five_gateways(cluster: Any) -> None:
    for number in range(6):
        create(cluster, f"g{number}")
    for number in range(5):
        cluster.associate_gateway_with_cluster(gateway=f"g{number}", cluster="default")
    sixth = {"gateway": "g5", "cluster": "default"}
    assert refusal(cluster.associate_gateway_with_cluster, **sixth)[0] == INVALID


def test_a_cluster_must_be_there_to_be_associated(cluster: Any) -> None:
    create(cluster)
    unknown = {"gateway": "g", "cluster": "none"}
    assert refusal(cluster.associate_gateway_with_cluster, **unknown)[0] == (
        "ClusterNotFoundException"
    )
    assert refusal(cluster.disassociate_gateway_from_cluster, **unknown)[0] == (
        "ClusterNotFoundException"
    )
    known = {"gateway": "g", "cluster": "default"}
    assert refusal(cluster.disassociate_gateway_from_cluster, **known)[0] == (
        "ResourceNotFoundException"
    )


@pytest.mark.inferred
def test_a_deleted_cluster_has_no_association(cluster: Any) -> None:
    create(cluster)
    cluster.associate_gateway_with_cluster(gateway="g", cluster="default")
    cluster.delete_cluster(cluster="default")
    assert associations(cluster) == {}


def test_a_connector_makes_a_route_with_its_resources(app: Any, admin: AdminClient) -> None:
    service = serve(app)
    (route,) = routes(app)
    assert route["gatewayArn"] == f"{PREFIX}gateway/g"
    assert route["clusterArn"] == service["clusterArn"]
    assert route["serviceArn"] == service["serviceArn"]
    assert route["serviceContainerPortName"] == "web"
    seen(admin, lambda: statuses(app) == ["ACTIVE"])
    arn = route["gatewayRouteArn"]
    whole = app.describe_gateway_route(gatewayRouteArn=arn)["gatewayRoute"]
    assert whole["serviceUrl"].startswith("https://s-")
    (resources,) = whole["resources"]["hostSharedAlb"]
    answer = app.describe_gateway_resources(gateway="g")["gatewayResources"]
    (balancer,) = answer["resources"]["hostSharedAlb"]
    assert balancer["loadBalancerArn"] == resources["loadBalancerArn"]
    assert balancer["listenerArn"] == resources["listenerArn"]
    assert balancer["gatewayRouteArns"] == [arn]
    assert described(app)["configuration"]["hostSharedAlb"]["currentAlbCount"] == 1


def test_a_service_revision_shows_its_connections(app: Any, admin: AdminClient) -> None:
    arn = serve(app)["currentServiceRevisions"][0]["arn"]
    seen(admin, lambda: statuses(app) == ["ACTIVE"])
    (revision,) = app.describe_service_revisions(serviceRevisionArns=[arn])["serviceRevisions"]
    (connection,) = revision["ecsManagedResources"]["gatewayConnections"]
    (route,) = routes(app)
    assert connection["gatewayRouteArn"] == route["gatewayRouteArn"]
    assert connection["gatewayArn"] == f"{PREFIX}gateway/g"
    assert connection["portName"] == "web"
    assert connection["accessType"] == "PUBLIC"
    assert connection["status"] == "ACTIVE"
    assert len(connection["resources"]["hostSharedAlb"]) == 1


def test_no_load_balancer_is_there_before_the_first_route(app: Any) -> None:
    answer = app.describe_gateway_resources(gateway="g")["gatewayResources"]
    assert answer == {"gatewayArn": f"{PREFIX}gateway/g", "resources": {"hostSharedAlb": []}}
    assert refusal(app.describe_gateway_resources, gateway="g", maxResults=21)[0] == INVALID


def test_routes_are_listed_by_what_they_lead_to(app: Any, admin: AdminClient) -> None:
    app.create_cluster(clusterName="two")
    app.associate_gateway_with_cluster(gateway="g", cluster="two")
    first = serve(app)["serviceArn"]
    serve(app, cluster="two", gatewayConnectors=[{"portName": "admin"}])
    serve(app, "t")
    seen(admin, lambda: statuses(app) == ["ACTIVE"] * 3)
    assert len(routes(app, gateway="g")) == 3
    assert len(routes(app, cluster="default")) == 2
    assert len(routes(app, service="s")) == 2
    assert [route["serviceArn"] for route in routes(app, service=first)] == [first]
    assert len(routes(app, serviceContainerPortName="web")) == 2
    assert routes(app, status=["CREATE_FAILED", "DELETE_IN_PROGRESS"]) == []
    pages = app.get_paginator("list_gateway_routes").paginate(PaginationConfig={"PageSize": 2})
    assert [len(page["gatewayRoutes"]) for page in pages] == [2, 1]


@pytest.mark.parametrize("arn", [f"{PREFIX}gateway-route/g/x", f"{PREFIX}gateway-route/x"])
def test_an_unknown_route_is_not_found(ecs: Any, arn: str) -> None:
    refused = refusal(ecs.describe_gateway_route, gatewayRouteArn=arn)
    assert refused[0] == "ResourceNotFoundException"


def test_a_route_needs_an_arn(ecs: Any) -> None:
    assert refusal(ecs.describe_gateway_route, gatewayRouteArn="x")[0] == INVALID


@pytest.mark.parametrize(
    "params",
    [
        {"gatewayConnectors": [CONNECTOR, {"portName": "admin"}]},
        {"gatewayConnectors": [{"portName": "none"}]},
        {
            "taskDefinition": "plain",
            "launchType": "EC2",
            "networkConfiguration": {},
            "gatewayConnectors": [CONNECTOR],
        },
        {"gatewayConnectors": [{**CONNECTOR, "filters": {"accessTypes": ["PRIVATE"]}}]},
        {"gatewayConnectors": [{**CONNECTOR, "deregistrationDelay": {"timeoutSeconds": 3601}}]},
        {"gatewayConnectors": [{**CONNECTOR, "healthCheck": {"healthCheckProtocol": "TCP"}}]},
    ],
    ids=["two", "port", "not awsvpc", "access type", "delay", "protocol"],
)
def test_a_connector_that_cannot_work_is_refused(app: Any, params: Any) -> None:
    request = {
        "serviceName": "s",
        "taskDefinition": "app",
        "desiredCount": 0,
        "launchType": "FARGATE",
        "networkConfiguration": NETWORK,
    }
    assert refusal(app.create_service, **{**request, **params})[0] == INVALID
    assert app.list_services()["serviceArns"] == []
    assert routes(app) == []


@pytest.mark.inferred
@pytest.mark.parametrize(
    "check",
    [
        {"healthCheckPath": "ping"},
        {"healthCheckPort": 0},
        {"healthCheckIntervalSeconds": 4},
        {"healthyThresholdCount": 11},
    ],
    ids=str,
)
def test_a_health_check_that_no_target_group_can_have_is_refused(app: Any, check: Any) -> None:
    connectors = [{**CONNECTOR, "healthCheck": check}]
    request = {"service": "s", "gatewayConnectors": connectors}
    serve(app)
    assert refusal(app.update_service, **request)[0] == INVALID


def test_a_connector_needs_a_gateway_of_the_cluster(app: Any, admin: AdminClient) -> None:
    app.disassociate_gateway_from_cluster(gateway="g", cluster="default")
    seen(admin, lambda: associations(app) == {})
    code, message = refusal(
        app.create_service,
        serviceName="s",
        taskDefinition="app",
        desiredCount=0,
        launchType="FARGATE",
        networkConfiguration=NETWORK,
        gatewayConnectors=[CONNECTOR],
    )
    assert code == INVALID
    words = "gatewayConnectors were specified but no gateways are associated with cluster"
    assert message.startswith(words)


def test_an_association_lasts_until_its_services_are_updated(app: Any, admin: AdminClient) -> None:
    create(app, "h")
    serve(app)
    seen(admin, lambda: statuses(app) == ["ACTIVE"])
    app.disassociate_gateway_from_cluster(gateway="g", cluster="default")
    app.associate_gateway_with_cluster(gateway="h", cluster="default")
    assert statuses(app, gateway="g") == ["ACTIVE"]
    assert statuses(app, gateway="h") == []
    assert associations(app, gateway="g") == {"g default": "DISASSOCIATING"}
    app.update_service(service="s")
    seen(admin, lambda: statuses(app, gateway="h") == ["ACTIVE"])
    seen(admin, lambda: associations(app) == {"h default": "ACTIVE"})
    assert statuses(app, gateway="g") == []


def test_another_port_changes_the_route(app: Any, admin: AdminClient) -> None:
    serve(app)
    seen(admin, lambda: statuses(app) == ["ACTIVE"])
    (before,) = routes(app)
    app.update_service(service="s", gatewayConnectors=[{"portName": "admin"}])
    seen(admin, lambda: statuses(app) == ["ACTIVE"])
    (after,) = routes(app)
    assert after == {**before, "serviceContainerPortName": "admin"}


@pytest.mark.parametrize("how", ["update", "delete"])
def test_routes_and_load_balancers_go_with_the_connector(
    app: Any, admin: AdminClient, how: str
) -> None:
    serve(app)
    seen(admin, lambda: statuses(app) == ["ACTIVE"])
    if how == "update":
        app.update_service(service="s", gatewayConnectors=[])
    else:
        app.delete_service(service="s")
    assert statuses(app) in (["DELETE_IN_PROGRESS"], [])
    seen(admin, lambda: statuses(app) == [])
    answer = app.describe_gateway_resources(gateway="g")["gatewayResources"]
    assert answer["resources"]["hostSharedAlb"] == []


def test_a_change_of_connectors_starts_a_deployment(app: Any) -> None:
    before = serve(app)["deployments"][0]["id"]
    same = app.update_service(service="s", gatewayConnectors=[CONNECTOR])["service"]
    assert same["deployments"][0]["id"] == before
    other = [{**CONNECTOR, "deregistrationDelay": {"timeoutSeconds": 5}}]
    changed = app.update_service(service="s", gatewayConnectors=other)["service"]
    assert changed["deployments"][0]["id"] != before
