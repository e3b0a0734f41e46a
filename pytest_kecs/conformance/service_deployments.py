"""Service deployments and revisions. The services of these checks want no tasks."""

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
from pytest_kecs.conformance.steps import made_service

_FAMILY = "service deployments"
_INVALID = "InvalidParameterException"
_NOT_FOUND = "ServiceDeploymentNotFoundException"


def _where(service: Members) -> Members:
    return {"cluster": service["clusterArn"], "service": service["serviceName"]}


def _listed(account: Account, service: Members, **members: Any) -> list[Members]:
    answer = account.call("ListServiceDeployments", **_where(service), **members)
    found: list[Members] = answer["serviceDeployments"]
    return found


def _ended(account: Account, service: Members) -> None:
    account.wait(
        "the deployments have ended",
        lambda: all("finishedAt" in each for each in _listed(account, service)),
    )


def _unknown(service: Members, kind: str) -> str:
    """The ARN of a deployment or revision of the service that it does not have."""
    tail = "x" * 21 if kind == "service-deployment" else "1" * 19
    return f"{service['serviceArn'].replace(':service/', f':{kind}/')}/{tail}"


@check(
    _FAMILY,
    "ListServiceDeployments",
    "Newest first, with their times; by status",
    "ecs-facts 8.4",
    basis="documented",
)
def lists(account: Account) -> None:
    service = made_service(account)
    _ended(account, service)
    account.call("UpdateService", forceNewDeployment=True, **_where(service))
    _ended(account, service)
    found = _listed(account, service)
    expect("statuses", [each["status"] for each in found], ["SUCCESSFUL", "SUCCESSFUL"])
    expect_true("the newest is first", came=found[0]["createdAt"] >= found[1]["createdAt"])
    first, second = (each["serviceDeploymentArn"] for each in found)
    expect_true("they have ARNs of their own", came=first != second)
    expect("STOPPED", _listed(account, service, status=["STOPPED"]), [])
    [page] = _listed(account, service, maxResults=1)
    expect("first page", page["serviceDeploymentArn"], first)


@check(
    _FAMILY,
    "DescribeServiceDeployments",
    "What it deploys; unknown ones are failures: MISSING",
    "ecs-facts 8.4",
    basis="documented",
)
def describes(account: Account) -> None:
    service = made_service(account)
    _ended(account, service)
    [brief] = _listed(account, service)
    unknown = _unknown(service, "service-deployment")
    arns = [brief["serviceDeploymentArn"], unknown]
    answer = account.call("DescribeServiceDeployments", serviceDeploymentArns=arns)
    expect("failures", answer["failures"], [{"arn": unknown, "reason": "MISSING"}])
    [deployment] = answer["serviceDeployments"]
    wanted = {"status": "SUCCESSFUL", "sourceServiceRevisions": []}
    wanted["serviceArn"] = service["serviceArn"]
    expect_members("deployment", deployment, wanted)
    target = {"arn": brief["targetServiceRevisionArn"], "requestedTaskCount": 0}
    expect_members("target", deployment["targetServiceRevision"], target)


@check(
    _FAMILY,
    "DescribeServiceRevisions",
    "The digits of the deployment; unknown ones are failures: MISSING, each time",
    "ecs-facts 8.5",
)
def describes_revisions(account: Account) -> None:
    service = made_service(account)
    number = service["deployments"][0]["id"].removeprefix("ecs-svc/")
    arn = f"{service['serviceArn'].replace(':service/', ':service-revision/')}/{number}"
    unknown = _unknown(service, "service-revision")
    answer = account.call("DescribeServiceRevisions", serviceRevisionArns=[arn, unknown, unknown])
    expect("failures", answer["failures"], [{"arn": unknown, "reason": "MISSING"}] * 2)
    [revision] = answer["serviceRevisions"]
    wanted = {
        "serviceRevisionArn": arn,
        "serviceArn": service["serviceArn"],
        "taskDefinition": service["taskDefinition"],
        "launchType": "FARGATE",
        "guardDutyEnabled": False,
        "loadBalancers": [],
        "serviceRegistries": [],
    }
    expect_members("revision", revision, wanted)


def _stopped(account: Account, **members: str) -> Members:
    unknown = _unknown(made_service(account), "service-deployment")
    return {"serviceDeploymentArn": unknown, **members}


def _ended_deployment(account: Account) -> Members:
    service = made_service(account)
    _ended(account, service)
    [found] = _listed(account, service)
    return {"serviceDeploymentArn": found["serviceDeploymentArn"]}


def _of_two_services(account: Account) -> Members:
    arn = _unknown(made_service(account), "service-revision")
    other = arn.replace("/1111", "-other/1111")
    return {"serviceRevisionArns": [arn, other]}


refusals(
    _FAMILY,
    [
        Refusal(
            "DescribeServiceRevisions",
            "revisions of two services",
            _of_two_services,
            _INVALID,
            "Cross service requests are not allowed. All requested service revisions must be for a"
            " single service",
            "ecs-facts 8.5",
        ),
        Refusal(
            "StopServiceDeployment",
            "unknown deployment",
            _stopped,
            _NOT_FOUND,
            None,
            "ecs-facts 8.4",
            "documented",
        ),
        Refusal(
            "StopServiceDeployment",
            "a deployment that has ended",
            _ended_deployment,
            "ConflictException",
            None,
            "ecs-facts 8.4",
            "documented",
        ),
        Refusal(
            "ContinueServiceDeployment",
            "unknown deployment",
            lambda account: _stopped(account, hookId="x"),
            _NOT_FOUND,
            None,
            "ecs-facts 8.7",
            "documented",
        ),
        Refusal(
            "ListServiceDeployments",
            "unknown service",
            lambda account: {
                "cluster": made_service(account)["clusterArn"],
                "service": account.name(),
            },
            "ServiceNotFoundException",
            None,
            "ecs-facts 8.4",
            "documented",
        ),
    ],
)


@check(
    _FAMILY,
    "ContinueServiceDeployment",
    "A PAUSE hook waits, and is released",
    "ecs-facts 8.7",
    basis="documented",
    needs_tasks=True,
)
def continues(account: Account) -> None:
    hook = {"targetType": "PAUSE", "lifecycleStages": ["PRE_SCALE_UP"]}
    service = made_service(account, deploymentConfiguration={"lifecycleHooks": [hook]})
    arn = _listed(account, service)[0]["serviceDeploymentArn"]
    hooks: list[Members] = []

    def is_waiting() -> bool:
        answer = account.call("DescribeServiceDeployments", serviceDeploymentArns=[arn])
        hooks[:] = answer["serviceDeployments"][0].get("lifecycleHookDetails") or []
        return any(each["status"] == "AWAITING_ACTION" for each in hooks)

    account.wait("a hook is AWAITING_ACTION", is_waiting)
    answer = account.call(
        "ContinueServiceDeployment", serviceDeploymentArn=arn, hookId=hooks[-1]["hookId"]
    )
    expect("deployment", answer["serviceDeploymentArn"], arn)
    _ended(account, service)
    expect("status", _listed(account, service)[0]["status"], "SUCCESSFUL")
