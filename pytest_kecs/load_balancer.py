"""A load balancer of a service, as `kecs.load_balancer` gives it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any

if TYPE_CHECKING:
    from pytest_kecs.admin import AdminClient

# A test's report shows the call that the test made, not how it is done.
__tracebackhide__ = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A task's port in a target group. `state` and `reason` are Elastic Load Balancing's (initial,
    healthy, unhealthy, draining); `revision`: the ARN of its service revision; `requests`: those,
    or connections, that this load balancer gave it.
    """

    task: str
    target_group: str
    container: str
    port: int
    state: str
    reason: str
    revision: str
    requests: int


class LoadBalancer:
    """Where a service's requests come in: those of production, or test traffic.

    Each property and method asks the server, and raises `AdminError` as long as no service of the
    test has the target group or listener rule.
    """

    def __init__(self, admin: AdminClient, arn: str, *, test: bool = False) -> None:
        self._admin = admin
        self._arn = arn
        self._test = test

    @property
    def url(self) -> str:
        """`http://HOST:PORT`; it stays the same to the end of the test."""
        host, port = self.address
        return f"http://{host}:{port}"

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        seen = self._seen()
        return str(seen["host"]), int(seen["port"])

    def targets(self) -> list[Target]:
        """The targets of its target groups now, those that are draining included."""
        return [Target(**target) for target in self._seen()["targets"]]

    def weights(self) -> dict[str, float]:
        """Percent of the requests that each target group gets now, by its ARN."""
        return dict(self._seen()["weights"])

    def counts(self) -> dict[str, int]:
        """How many requests (connections, for TCP) it gave to tasks of each service revision, by
        the revision's ARN.
        """
        return dict(self._seen()["counts"])

    def _seen(self) -> dict[str, Any]:
        return self._admin.load_balancer(self._arn, test=self._test)
