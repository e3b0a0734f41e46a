"""Waits and assertions about a service and its deployments."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import TYPE_CHECKING
from typing import Any

from pytest_kecs.assertions import Text
from pytest_kecs.assertions import has
from pytest_kecs.assertions import shown
from pytest_kecs.conditions import DEPLOYMENT_STATUSES
from pytest_kecs.conditions import ROLLOUT_STATES
from pytest_kecs.conditions import can_become
from pytest_kecs.conditions import has_failed
from pytest_kecs.conditions import is_stable
from pytest_kecs.hints import for_deployment
from pytest_kecs.references import ServiceReference
from pytest_kecs.references import service_located
from pytest_kecs.stories import Stories
from pytest_kecs.waiting import WaitError
from pytest_kecs.waiting import WaitTimeout
from pytest_kecs.waiting import wait_until

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient

    from pytest_kecs.admin import AdminClient

__tracebackhide__ = True  # as in `kecs`

SERVICE_SECONDS = 60.0

Structure = dict[str, Any]


class ServiceMethods:
    """What `kecs` offers to wait for states of services, and to assert them."""

    _client: ECSClient
    _admin: AdminClient
    _stories: Stories

    def wait_stable(
        self,
        service: ServiceReference,
        timeout: float = SERVICE_SECONDS,
        *,
        cluster: str | None = None,
    ) -> Structure:
        """Wait until the service has one deployment and is in its steady state: all its tasks run,
        and have done so for long enough. A service of task sets is stable when all these are.
        Returns the service as DescribeServices gives it. It gives up on a service whose deployment
        failed and is not rolled back.

        A deployment that was rolled back leaves its service stable, as on ECS: whether it succeeded
        says `assert_deployment`.
        """
        name, cluster = service_located(service, cluster)

        def look() -> Structure | None:
            seen = self._describe_service(name, cluster)
            if seen["status"] != "ACTIVE":
                text = f"is {seen['status']} and will not become stable"
                raise self._stories.of_service(WaitError, seen, text)
            if has_failed(seen):
                why = seen["deployments"][0]["rolloutStateReason"]
                text = f"will not become stable: its deployment has FAILED ({why})"
                raise self._stories.of_service(WaitError, seen, text)
            return seen if is_stable(seen) else None

        found = wait_until(self._admin, look, timeout)
        if found is not None:
            return found
        seen = self._describe_service(name, cluster)
        text = f"was not stable within {timeout:g} s"
        raise self._stories.of_service(WaitTimeout, seen, text)

    def assert_service_stable(
        self,
        service: ServiceReference,
        timeout: float = SERVICE_SECONDS,
        *,
        cluster: str | None = None,
    ) -> Structure:
        """Assert that the service is stable, or becomes so."""
        return self.wait_stable(service, timeout, cluster=cluster)

    def assert_deployment(
        self,
        service: ServiceReference,
        status: str = "SUCCESSFUL",
        *,
        reason: Text | None = None,
        timeout: float = SERVICE_SECONDS,
        cluster: str | None = None,
    ) -> Structure:
        """Assert that the newest deployment of the service comes to this status, as
        DescribeServiceDeployments gives it: `SUCCESSFUL`, `STOPPED` (it failed, with nothing to go
        back to), `ROLLBACK_SUCCESSFUL`, or one on the way. It fails as soon as the deployment can
        no longer come to it.

        :param reason: what its `statusReason` then has in it, or a compiled pattern found there.
        :returns: the deployment.
        :raises ValueError: there is no such status.
        :raises WaitError: the service has no deployments: it is not ECS that deploys it.
        """
        _check_status(status)
        name, cluster = service_located(service, cluster)
        arn = self._newest_deployment(name, cluster)

        def look() -> Structure | None:
            seen = self._deployment(arn)
            if seen["status"] == status:
                return seen
            if not can_become(seen["status"], status):
                text = f"will not become {status} any more, it is {_told(seen)}"
                raise self._deployment_error(WaitError, name, cluster, seen, text)
            return None

        found = wait_until(self._admin, look, timeout)
        if found is None:
            seen = self._deployment(arn)
            text = f"was not {status} within {timeout:g} s, it is {_told(seen)}"
            raise self._deployment_error(WaitTimeout, name, cluster, seen, text)
        if reason is not None and not has(reason, found.get("statusReason", "")):
            text = f"has no {shown(reason)} in its reason, it is {_told(found)}"
            raise self._deployment_error(AssertionError, name, cluster, found, text)
        return found

    def _newest_deployment(self, name: str, cluster: str) -> str:
        service = self._describe_service(name, cluster)
        answer = self._client.list_service_deployments(cluster=cluster, service=name, maxResults=1)
        if not answer["serviceDeployments"]:
            controller = service.get("deploymentController", {}).get("type", "ECS")
            text = f"has no deployments: its deployment controller is {controller}"
            raise self._stories.of_service(WaitError, service, text)
        return answer["serviceDeployments"][0]["serviceDeploymentArn"]

    def _deployment(self, arn: str) -> Structure:
        answer = self._client.describe_service_deployments(serviceDeploymentArns=[arn])
        if not answer["serviceDeployments"]:
            raise WaitError(f"ECS knows no service deployment {arn}")
        return dict(answer["serviceDeployments"][0])

    def _deployment_error(
        self,
        kind: type[AssertionError],
        name: str,
        cluster: str,
        deployment: Mapping[str, Any],
        what: str,
    ) -> AssertionError:
        service = self._describe_service(name, cluster)
        found = for_deployment(deployment)
        return self._stories.of_service(kind, service, f"has a deployment that {what}", found)

    def _describe_service(self, name: str, cluster: str) -> Structure:
        answer = self._client.describe_services(cluster=cluster, services=[name])
        if not answer["services"]:
            raise WaitError(f"ECS knows no service {name} in the cluster {cluster}")
        return dict(answer["services"][0])


def _check_status(status: str) -> None:
    """:raises ValueError: there is no such status."""
    if status in DEPLOYMENT_STATUSES:
        return
    if status in ROLLOUT_STATES:
        hint = f"{status!r} is a rolloutState; that is {ROLLOUT_STATES[status]} here. "
    else:
        close = difflib.get_close_matches(str(status), DEPLOYMENT_STATUSES, n=1, cutoff=0.5)
        hint = f"did you mean {close[0]!r}? " if close else ""
    raise ValueError(
        f"no service deployment has the status {status!r}; {hint}There are "
        + ", ".join(DEPLOYMENT_STATUSES)
    )


def _told(deployment: Mapping[str, Any]) -> str:
    why = deployment.get("statusReason")
    stage = deployment.get("lifecycleStage")
    where = f" in the stage {stage}" if stage and deployment["status"] == "IN_PROGRESS" else ""
    return f"{deployment['status']}{where}{f' ({why})' if why else ''}"
