"""Managed daemons (the model's words; nothing of them is captured)."""

from __future__ import annotations

from collections.abc import Callable

from pytest_kecs.conformance.checks import Account
from pytest_kecs.conformance.checks import Basis
from pytest_kecs.conformance.checks import Members
from pytest_kecs.conformance.checks import Refusal
from pytest_kecs.conformance.checks import check
from pytest_kecs.conformance.checks import expect
from pytest_kecs.conformance.checks import expect_members
from pytest_kecs.conformance.checks import expect_true
from pytest_kecs.conformance.checks import refusals
from pytest_kecs.conformance.steps import daemon_definition

_FAMILY = "daemons"
_SOURCE = "ecs-facts 16.1"
_INVALID = "InvalidParameterException"


def _definition(account: Account) -> str:
    asked = daemon_definition(account)
    arn: str = account.call("RegisterDaemonTaskDefinition", **asked)["daemonTaskDefinitionArn"]
    return arn


def _request(account: Account) -> Members:
    """Parameters of CreateDaemon, in a new cluster with managed instances."""
    cluster = account.call("CreateCluster", clusterName=account.name())["cluster"]["clusterArn"]
    iam = f"arn:aws:iam::{cluster.split(':')[4]}"
    provider = account.call(
        "CreateCapacityProvider",
        name=account.name(),
        cluster=cluster.rpartition("/")[2],
        managedInstancesProvider={
            "infrastructureRoleArn": f"{iam}:role/kecs-conformance",
            "instanceLaunchTemplate": {
                "ec2InstanceProfileArn": f"{iam}:instance-profile/kecs-conformance",
                "networkConfiguration": {
                    "subnets": account.network["subnets"],
                    "securityGroups": account.network.get("securityGroups", ["sg-12345678"]),
                },
            },
        },
    )["capacityProvider"]
    asked = {"cluster": cluster, "capacityProviders": [provider["name"]]}

    def is_active() -> bool:
        answer = account.call("DescribeCapacityProviders", **asked)
        return bool(answer["capacityProviders"][0]["status"] == "ACTIVE")

    account.wait("the capacity provider is ACTIVE", is_active)
    return {
        "daemonName": account.name(),
        "clusterArn": cluster,
        "daemonTaskDefinitionArn": _definition(account),
        "capacityProviderArns": [provider["capacityProviderArn"]],
    }


def _deployed(account: Account, made: Members) -> Members:
    """The deployment, once it has ended well."""
    found: Members = {}

    def is_successful() -> bool:
        arns = [made["deploymentArn"]]
        answer = account.call("DescribeDaemonDeployments", daemonDeploymentArns=arns)
        found.update(answer["daemonDeployments"][0])
        return bool(found["status"] == "SUCCESSFUL")

    account.wait("the deployment is SUCCESSFUL", is_successful)
    return found


def _described(account: Account, made: Members) -> Members:
    daemon: Members = account.call("DescribeDaemon", daemonArn=made["daemonArn"])["daemon"]
    return daemon


@check(
    _FAMILY,
    "CreateDaemon",
    "ACTIVE, with a deployment that comes to an end",
    _SOURCE,
    basis="documented",
    needs_tasks=True,
)
def creates(account: Account) -> None:
    asked = _request(account)
    made = account.call("CreateDaemon", **asked)
    expect("status", made["status"], "ACTIVE")
    tail = f":daemon/{asked['clusterArn'].rpartition('/')[2]}/{asked['daemonName']}"
    expect_true(f"the ARN ends with {tail}", came=made["daemonArn"].endswith(tail))
    done = _deployed(account, made)
    expect_true("it has ended", came=done["createdAt"] <= done["finishedAt"])
    expect("sourceDaemonRevisions", done["sourceDaemonRevisions"], [])


@check(
    _FAMILY,
    "DescribeDaemon",
    "Its revision, with what runs of it",
    _SOURCE,
    basis="documented",
    needs_tasks=True,
)
def describes(account: Account) -> None:
    asked = _request(account)
    made = account.call("CreateDaemon", **asked)
    _deployed(account, made)
    daemon = _described(account, made)
    wanted = {"daemonArn": made["daemonArn"], "status": "ACTIVE", "clusterArn": asked["clusterArn"]}
    expect_members("daemon", daemon, wanted)
    [current] = daemon["currentRevisions"]
    providers = [each["arn"] for each in current["capacityProviders"]]
    expect("capacityProviders", providers, asked["capacityProviderArns"])


@check(
    _FAMILY,
    "DescribeDaemonRevisions",
    "What was asked for; unknown ones are failures",
    _SOURCE,
    basis="documented",
    needs_tasks=True,
)
def describes_revisions(account: Account) -> None:
    made = account.call("CreateDaemon", **_request(account))
    [current] = _described(account, made)["currentRevisions"]
    unknown = current["arn"].rpartition("/")[0] + "/" + "1" * 19
    arns = [current["arn"], unknown]
    answer = account.call("DescribeDaemonRevisions", daemonRevisionArns=arns)
    expect("failures", [each["arn"] for each in answer["failures"]], [unknown])
    [revision] = answer["daemonRevisions"]
    wanted = {"daemonRevisionArn": current["arn"], "daemonArn": made["daemonArn"]}
    expect_members("revision", revision, wanted)


@check(
    _FAMILY,
    "ListDaemons",
    "Those of a cluster",
    "the model of ListDaemons",
    basis="documented",
    needs_tasks=True,
)
def lists(account: Account) -> None:
    asked = _request(account)
    made = account.call("CreateDaemon", **asked)
    answer = account.call("ListDaemons", clusterArn=asked["clusterArn"])
    listed = [each["daemonArn"] for each in answer["daemonSummariesList"]]
    expect("daemons", listed, [made["daemonArn"]])


@check(
    _FAMILY,
    "ListDaemonDeployments",
    "Those of a daemon",
    "the model of ListDaemonDeployments",
    basis="documented",
    needs_tasks=True,
)
def lists_deployments(account: Account) -> None:
    made = account.call("CreateDaemon", **_request(account))
    answer = account.call("ListDaemonDeployments", daemonArn=made["daemonArn"])
    arns = [each["daemonDeploymentArn"] for each in answer["daemonDeployments"]]
    expect("deployments", arns, [made["deploymentArn"]])


@check(
    _FAMILY,
    "UpdateDaemon",
    "A new deployment, from the old revision to another",
    _SOURCE,
    basis="documented",
    needs_tasks=True,
)
def updates(account: Account) -> None:
    asked = _request(account)
    made = account.call("CreateDaemon", **asked)
    _deployed(account, made)
    [before] = _described(account, made)["currentRevisions"]
    changed = account.call(
        "UpdateDaemon",
        daemonArn=made["daemonArn"],
        daemonTaskDefinitionArn=_definition(account),
        capacityProviderArns=asked["capacityProviderArns"],
    )
    expect_true("another deployment", came=changed["deploymentArn"] != made["deploymentArn"])
    done = _deployed(account, changed)
    expect("sources", [each["arn"] for each in done["sourceDaemonRevisions"]], [before["arn"]])


@check(
    _FAMILY,
    "DeleteDaemon",
    "DELETE_IN_PROGRESS, and then not there",
    _SOURCE,
    basis="documented",
    needs_tasks=True,
)
def deletes(account: Account) -> None:
    asked = _request(account)
    made = account.call("CreateDaemon", **asked)
    _deployed(account, made)
    answer = account.call("DeleteDaemon", daemonArn=made["daemonArn"])
    expect("status", answer["status"], "DELETE_IN_PROGRESS")

    def is_gone() -> bool:
        daemons = account.call("ListDaemons", clusterArn=asked["clusterArn"])
        return not daemons["daemonSummariesList"]

    account.wait("the daemon is gone", is_gone)


def _nothing(account: Account) -> Members:
    """The ARN of a daemon that is not there."""
    cluster = account.call("CreateCluster", clusterName=account.name())["cluster"]["clusterArn"]
    return {"daemonArn": f"{cluster.replace(':cluster/', ':daemon/')}/{account.name()}"}


def _of_fargate(account: Account) -> Members:
    """A request for a daemon where no managed instances are."""
    cluster = account.call("CreateCluster", clusterName=account.name())["cluster"]["clusterArn"]
    return {
        "daemonName": account.name(),
        "clusterArn": cluster,
        "daemonTaskDefinitionArn": _definition(account),
        "capacityProviderArns": [f"{cluster.rpartition(':')[0]}:capacity-provider/FARGATE"],
    }


def _refused(
    operation: str, rule: str, code: str, asked: Callable[[Account], Members], basis: Basis
) -> Refusal:
    return Refusal(operation, rule, asked, code, None, _SOURCE, basis)


_DOES_NOT_EXIST = "DaemonNotFoundException"

refusals(
    _FAMILY,
    [
        _refused("CreateDaemon", "a provider of Fargate", _INVALID, _of_fargate, "inferred"),
        _refused(
            "DescribeDaemon",
            "unknown daemon",
            _DOES_NOT_EXIST,
            _nothing,
            "documented",
        ),
        _refused(
            "DeleteDaemon",
            "unknown daemon",
            _DOES_NOT_EXIST,
            _nothing,
            "documented",
        ),
        _refused(
            "DescribeDaemonDeployments",
            "no deployments",
            _INVALID,
            lambda _: {"daemonDeploymentArns": []},
            "inferred",
        ),
        _refused(
            "DescribeDaemonRevisions",
            "no revisions",
            _INVALID,
            lambda _: {"daemonRevisionArns": []},
            "inferred",
        ),
    ],
)
