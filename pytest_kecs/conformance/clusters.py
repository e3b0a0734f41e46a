"""Clusters."""

from __future__ import annotations

from pytest_kecs.conformance.checks import Account
from pytest_kecs.conformance.checks import Refusal
from pytest_kecs.conformance.checks import check
from pytest_kecs.conformance.checks import expect
from pytest_kecs.conformance.checks import expect_members
from pytest_kecs.conformance.checks import refusals
from pytest_kecs.conformance.steps import TAGS
from pytest_kecs.conformance.steps import made_cluster

_FAMILY = "clusters"
_NOT_FOUND = ("ClusterNotFoundException", "Cluster not found.")


@check(_FAMILY, "CreateCluster", "ACTIVE at once, with all counts and lists", "ecs-facts 3.1")
def creates_whole(account: Account) -> None:
    name = account.name()
    cluster = account.call("CreateCluster", clusterName=name)["cluster"]
    wanted = {
        "clusterName": name,
        "status": "ACTIVE",
        "statistics": [],
        "tags": [],
        "settings": [{"name": "containerInsights", "value": "disabled"}],
        "capacityProviders": [],
        "defaultCapacityProviderStrategy": [],
        "registeredContainerInstancesCount": 0,
        "runningTasksCount": 0,
        "pendingTasksCount": 0,
        "activeServicesCount": 0,
    }
    expect_members("cluster", cluster, wanted)
    expect("the ARN's end", cluster["clusterArn"].split(":")[5], f"cluster/{name}")


@check(_FAMILY, "CreateCluster", "Repeated with equal arguments: the same one", "ecs-facts 3.1")
def creates_once(account: Account) -> None:
    name = account.name()
    first = account.call("CreateCluster", clusterName=name, tags=TAGS)["cluster"]
    again = account.call("CreateCluster", clusterName=name, tags=TAGS)["cluster"]
    expect("cluster", again["clusterArn"], first["clusterArn"])
    arns = account.call("DescribeClusters", clusters=[name])["clusters"]
    expect("clusters of that name", len(arns), 1)


@check(_FAMILY, "DescribeClusters", "Unknown ones are failures: MISSING", "ecs-facts 3.2")
def describes_missing(account: Account) -> None:
    cluster = account.call("CreateCluster", clusterName=account.name())["cluster"]
    unknown = account.name()
    answer = account.call("DescribeClusters", clusters=[cluster["clusterName"], unknown])
    arn = cluster["clusterArn"].replace(cluster["clusterName"], unknown)
    expect("clusters", [each["clusterArn"] for each in answer["clusters"]], [cluster["clusterArn"]])
    expect("failures", answer["failures"], [{"arn": arn, "reason": "MISSING"}])


@check(_FAMILY, "DescribeClusters", "Duplicates are merged", "ecs-facts 3.2")
def describes_once(account: Account) -> None:
    name = made_cluster(account)
    answer = account.call("DescribeClusters", clusters=[name, name])
    expect("clusters", [each["clusterName"] for each in answer["clusters"]], [name])


@check(_FAMILY, "DescribeClusters", "Details only with include", "ecs-facts 3.2")
def includes_what_is_asked(account: Account) -> None:
    name = made_cluster(account, tags=TAGS)
    plain = account.call("DescribeClusters", clusters=[name])["clusters"][0]
    expect_members("cluster", plain, {"settings": [], "tags": [], "statistics": []})
    asked = ["SETTINGS", "TAGS", "STATISTICS"]
    full = account.call("DescribeClusters", clusters=[name], include=asked)["clusters"][0]
    settings = [{"name": "containerInsights", "value": "disabled"}]
    expect_members("cluster", full, {"settings": settings, "tags": TAGS})
    expect("number of statistics", len(full["statistics"]), 16)


@check(
    _FAMILY,
    "ListClusters",
    "Pages join to the whole",
    "the model of ListClusters",
    basis="documented",
)
def lists_pages(account: Account) -> None:
    mine = {
        account.call("CreateCluster", clusterName=account.name())["cluster"]["clusterArn"]
        for _ in range(3)
    }
    first = account.call("ListClusters", maxResults=1)
    expect("arns on a page", len(first["clusterArns"]), 1)
    seen = set(first["clusterArns"])
    while not mine <= seen and first.get("nextToken"):
        first = account.call("ListClusters", maxResults=100, nextToken=first["nextToken"])
        seen |= set(first["clusterArns"])
    expect("clusters that are listed", sorted(mine & seen), sorted(mine))


@check(_FAMILY, "UpdateClusterSettings", "Answers with tags and attachments", "ecs-facts 3.3")
def updates_settings(account: Account) -> None:
    settings = [{"name": "containerInsights", "value": "enabled"}]
    answer = account.call("UpdateClusterSettings", cluster=made_cluster(account), settings=settings)
    wanted = {"settings": settings, "tags": [], "attachments": []}
    expect_members("cluster", answer["cluster"], wanted)


@check(_FAMILY, "DeleteCluster", "INACTIVE, still described, and not listed", "ecs-facts 3.2, 3.3")
def deletes(account: Account) -> None:
    name = made_cluster(account)
    deleted = account.call("DeleteCluster", cluster=name)["cluster"]
    expect("status", deleted["status"], "INACTIVE")
    described = account.call("DescribeClusters", clusters=[name])["clusters"]
    expect("status", [each["status"] for each in described], ["INACTIVE"])
    again = account.call("DeleteCluster", cluster=name)["cluster"]
    expect("status", again["status"], "INACTIVE")


@check(_FAMILY, "CreateCluster", "An INACTIVE one is made anew", "ecs-facts 3.1")
def creates_anew(account: Account) -> None:
    name = made_cluster(account, tags=TAGS)
    account.call("DeleteCluster", cluster=name)
    cluster = account.call("CreateCluster", clusterName=name)["cluster"]
    expect_members("cluster", cluster, {"status": "ACTIVE", "tags": []})


refusals(
    _FAMILY,
    [
        Refusal(
            "CreateCluster",
            "repeated with other arguments",
            lambda account: {"clusterName": made_cluster(account), "tags": TAGS},
            "InvalidParameterException",
            "Arguments on this idempotent request are inconsistent with arguments used in previous"
            " request(s).",
            "ecs-facts 3.1",
        ),
        *(
            Refusal(
                operation,
                "unknown cluster",
                lambda account, more=more: {"cluster": account.name(), **more},  # type: ignore[misc]
                *_NOT_FOUND,
                "ecs-facts 3.3",
            )
            for operation, more in [
                ("DeleteCluster", {}),
                ("UpdateCluster", {}),
                (
                    "UpdateClusterSettings",
                    {"settings": [{"name": "containerInsights", "value": "enabled"}]},
                ),
                ("ListServices", {}),
                ("ListTasks", {}),
                ("ListContainerInstances", {}),
                ("DescribeTasks", {"tasks": ["0" * 32]}),
                ("DescribeServices", {"services": ["x"]}),
                (
                    "PutClusterCapacityProviders",
                    {"capacityProviders": [], "defaultCapacityProviderStrategy": []},
                ),
            ]
        ),
    ],
)
