"""Gateways (the model's words; nothing of them is captured). No service uses those of these checks,
so that they have no load balancers, but in one check."""

from __future__ import annotations

from typing import Any

from pytest_kecs.conformance.checks import Account
from pytest_kecs.conformance.checks import Members
from pytest_kecs.conformance.checks import Refusal
from pytest_kecs.conformance.checks import check
from pytest_kecs.conformance.checks import expect
from pytest_kecs.conformance.checks import expect_members
from pytest_kecs.conformance.checks import expect_true
from pytest_kecs.conformance.checks import refusals
from pytest_kecs.conformance.steps import container
from pytest_kecs.conformance.steps import made_cluster
from pytest_kecs.conformance.steps import made_service
from pytest_kecs.conformance.steps import registered

_FAMILY = "gateways"
_NOT_FOUND = "GatewayNotFoundException"


def _request(account: Account, **members: Any) -> Members:
    cluster = account.call("CreateCluster", clusterName=account.name())["cluster"]["clusterArn"]
    return {
        "name": account.name(),
        "infrastructureRoleArn": f"arn:aws:iam::{cluster.split(':')[4]}:role/kecs-conformance",
        "configuration": {"hostSharedAlb": {}},
        "deletionProtection": False,
        **members,
    }


def _made(account: Account, **members: Any) -> str:
    """The name of a new gateway."""
    name: str = account.call("CreateGateway", **_request(account, **members))["name"]
    return name


def _described(account: Account, name: str) -> Members:
    gateway: Members = account.call("DescribeGateway", gateway=name)["gateway"]
    return gateway


@check(
    _FAMILY,
    "CreateGateway",
    "ACTIVE at once, with the defaults",
    "ecs-2026, Gateways; the model of CreateGateway",
    basis="documented",
)
def creates(account: Account) -> None:
    asked = _request(account)
    made = account.call("CreateGateway", **asked)
    expect_members("answer", made, {"name": asked["name"], "status": "ACTIVE"})
    expect_true("ARN", came=made["gatewayArn"].endswith(f":gateway/{asked['name']}"))
    gateway = _described(account, asked["name"])
    expect_members("gateway", gateway, {"status": "ACTIVE", "accessType": "PUBLIC"})
    wanted = {"port": 443, "protocol": "HTTPS", "scheme": "internet-facing"}
    expect_members("hostSharedAlb", gateway["configuration"]["hostSharedAlb"], wanted)


@check(
    _FAMILY,
    "CreateGateway",
    "One clientToken, one gateway",
    "the model of CreateGateway",
    basis="documented",
)
def creates_once_for_a_token(account: Account) -> None:
    token = account.name()
    asked = _request(account, clientToken=token)
    first = account.call("CreateGateway", **asked)
    again = account.call("CreateGateway", **asked)
    expect("gateway", again["gatewayArn"], first["gatewayArn"])


@check(
    _FAMILY,
    "ListGateways",
    "By name and status",
    "the model of ListGateways",
    basis="documented",
)
def lists(account: Account) -> None:
    mine = [_made(account) for _ in range(2)]
    answer = account.call("ListGateways", names=[*mine, account.name()], status=["ACTIVE"])
    expect("gateways", sorted(each["name"] for each in answer["gateways"]), sorted(mine))
    answer = account.call("ListGateways", names=mine, status=["UPDATE_FAILED"])
    expect("failed", answer["gateways"], [])


@check(
    _FAMILY,
    "UpdateGateway",
    "UPDATE_IN_PROGRESS, and later UPDATE_COMPLETE with what changed",
    "ecs-2026, Gateways",
    basis="documented",
)
def updates(account: Account) -> None:
    name = _made(account)
    alb = {"hostSharedAlb": {"maxAlbCount": 5}}
    answer = account.call("UpdateGateway", gateway=name, configuration=alb)
    expect("status", answer["status"], "UPDATE_IN_PROGRESS")
    account.wait(
        "the gateway is UPDATE_COMPLETE",
        lambda: _described(account, name)["status"] == "UPDATE_COMPLETE",
    )
    came = _described(account, name)["configuration"]["hostSharedAlb"]
    expect("maxAlbCount", came["maxAlbCount"], 5)


@check(
    _FAMILY,
    "DeleteGateway",
    "DELETED, and then not found; a protected one is refused",
    "the model of DeleteGateway",
    basis="documented",
)
def deletes(account: Account) -> None:
    name = _made(account, deletionProtection=True)
    account.refused("DeleteGateway", {"gateway": name}, "InvalidParameterException", None)
    account.call("UpdateGateway", gateway=name, deletionProtection=False)
    expect("status", account.call("DeleteGateway", gateway=name)["status"], "DELETED")
    account.refused("DescribeGateway", {"gateway": name}, _NOT_FOUND, None)


def _associations(account: Account, gateway: str) -> list[tuple[str, str]]:
    answer = account.call("ListGatewayClusterAssociations", gateway=gateway)
    return [
        (each["clusterArn"].rpartition("/")[2], each["status"])
        for each in answer["gatewayClusterAssociations"]
    ]


@check(
    _FAMILY,
    "AssociateGatewayWithCluster",
    "ACTIVE, and listed",
    "the model of AssociateGatewayWithCluster",
    basis="documented",
)
def associates(account: Account) -> None:
    gateway, cluster = _made(account), made_cluster(account)
    answer = account.call("AssociateGatewayWithCluster", gateway=gateway, cluster=cluster)
    expect("status", answer["status"], "ACTIVE")
    expect("associations", _associations(account, gateway), [(cluster, "ACTIVE")])


@check(
    _FAMILY,
    "ListGatewayClusterAssociations",
    "By gateway and by cluster",
    "the model of ListGatewayClusterAssociations",
    basis="documented",
)
def lists_associations(account: Account) -> None:
    gateways, cluster = [_made(account), _made(account)], made_cluster(account)
    for gateway in gateways:
        account.call("AssociateGatewayWithCluster", gateway=gateway, cluster=cluster)
    for gateway in gateways:
        expect(f"of {gateway}", _associations(account, gateway), [(cluster, "ACTIVE")])
    answer = account.call("ListGatewayClusterAssociations", cluster=cluster)
    arns = [each["gatewayArn"].rpartition("/")[2] for each in answer["gatewayClusterAssociations"]]
    expect("of the cluster", sorted(arns), sorted(gateways))


@check(
    _FAMILY,
    "DisassociateGatewayFromCluster",
    "DISASSOCIATING, and then gone",
    "the model of DisassociateGatewayFromCluster",
    basis="documented",
)
def disassociates(account: Account) -> None:
    gateway, cluster = _made(account), made_cluster(account)
    where = {"gateway": gateway, "cluster": cluster}
    account.call("AssociateGatewayWithCluster", **where)
    answer = account.call("DisassociateGatewayFromCluster", **where)
    expect("status", answer["status"], "DISASSOCIATING")
    account.wait("the association is gone", lambda: not _associations(account, gateway))


@check(
    _FAMILY,
    "DescribeGatewayResources",
    "No load balancer before the first service",
    "ecs-2026, Gateways",
    basis="documented",
)
def has_no_balancer(account: Account) -> None:
    answer = account.call("DescribeGatewayResources", gateway=_made(account))
    resources = answer["gatewayResources"]["resources"]
    expect("hostSharedAlb", resources["hostSharedAlb"], [])


@check(
    _FAMILY,
    "DescribeGatewayRoute",
    "A service's connector makes a route to its port",
    "the model of DescribeGatewayRoute",
    basis="documented",
)
def routes(account: Account) -> None:
    gateway, cluster = _made(account), made_cluster(account)
    account.call("AssociateGatewayWithCluster", gateway=gateway, cluster=cluster)
    mapping = {"name": "web", "containerPort": 80}
    made = registered(account, containerDefinitions=[container(portMappings=[mapping])])
    service = made_service(
        account,
        cluster=cluster,
        taskDefinition=made["taskDefinitionArn"],
        gatewayConnectors=[{"portName": "web"}],
    )

    def listed() -> list[Members]:
        found: list[Members] = account.call("ListGatewayRoutes", gateway=gateway)["gatewayRoutes"]
        return found

    account.wait("the route is ACTIVE", lambda: [each["status"] for each in listed()] == ["ACTIVE"])
    arn = listed()[0]["gatewayRouteArn"]
    route = account.call("DescribeGatewayRoute", gatewayRouteArn=arn)["gatewayRoute"]
    wanted = {"serviceArn": service["serviceArn"], "serviceContainerPortName": "web"}
    expect_members("route", route, wanted)


def _unknown_route(account: Account) -> Members:
    cluster = account.call("CreateCluster", clusterName=account.name())["cluster"]["clusterArn"]
    place = cluster.rpartition(":")[0]
    return {"gatewayRouteArn": f"{place}:gateway-route/{account.name()}/x"}


refusals(
    _FAMILY,
    [
        *(
            Refusal(
                operation,
                "unknown gateway",
                lambda account: {"gateway": account.name()},
                _NOT_FOUND,
                None,
                f"the model of {operation}",
                "documented",
            )
            for operation in (
                "DescribeGateway",
                "UpdateGateway",
                "DeleteGateway",
                "DescribeGatewayResources",
                "ListGatewayRoutes",
            )
        ),
        Refusal(
            "AssociateGatewayWithCluster",
            "unknown cluster",
            lambda account: {"gateway": _made(account), "cluster": account.name()},
            "ClusterNotFoundException",
            None,
            "the model of AssociateGatewayWithCluster",
            "documented",
        ),
        Refusal(
            "DisassociateGatewayFromCluster",
            "what is not associated",
            lambda account: {"gateway": _made(account), "cluster": made_cluster(account)},
            "ResourceNotFoundException",
            None,
            "the model of DisassociateGatewayFromCluster",
            "documented",
        ),
        Refusal(
            "DescribeGatewayRoute",
            "unknown route",
            _unknown_route,
            "ResourceNotFoundException",
            None,
            "the model of DescribeGatewayRoute",
            "documented",
        ),
    ],
)
