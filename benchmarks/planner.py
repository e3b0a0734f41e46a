"""How long the service scheduler thinks: its looks at services whose tasks run.

The instances are in two Availability Zones, and the services are rebalanced over them: steady ones
have to be looked through for that, too.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace

from kecs_server.domain.cluster import Cluster
from kecs_server.domain.deploying import begin
from kecs_server.domain.deployment import Deployment
from kecs_server.domain.hosts import add_host
from kecs_server.domain.instance import UNKNOWN_HOST
from kecs_server.domain.service import ENABLED
from kecs_server.domain.service import Service
from kecs_server.domain.task import Status
from kecs_server.domain.task import move
from kecs_server.domain.task_definition import TaskDefinition
from kecs_server.scheduler import services

from benchmarks.errors import BenchmarkError
from benchmarks.figures import Row
from benchmarks.figures import limited
from benchmarks.plan import Plan
from benchmarks.rounds import interleaved

_TASKS = 10
_PASS_MS = 50.0
_LOOK_MS = 1.0
_ARN = "arn:aws:ecs:us-east-1:123456789012:"


def measure(plan: Plan) -> list[Row]:
    looks = _Looks(plan.services)
    figures = interleaved({"planner": looks.measure}, plan.calls // 10)["planner"]
    amount = f"{plan.services:,} services of {_TASKS} tasks"
    return [
        limited("planner", f"a look at all of {amount}", "ms", figures["all"], below=_PASS_MS),
        limited("planner", f"a look at one of {amount}", "ms", figures["one"], below=_LOOK_MS),
    ]


class _Looks:
    """Services in their steady state, in one cluster."""

    def __init__(self, count: int) -> None:
        self.now = time.time()
        self.cluster = Cluster(name="c", arn=_ARN + "cluster/c", settings=[], request={})
        for zone in ("us-east-1a", "us-east-1b"):
            add_host(self.cluster, replace(UNKNOWN_HOST, zone=zone), self.now)
        for number in range(count):
            self._serve(f"s{number}")

    def measure(self) -> Mapping[str, float]:
        began = time.perf_counter()
        for service in self.cluster.services.values():
            self._look(service)
        passed = time.perf_counter()
        self._look(self.cluster.services["s0"])
        return {
            "all": (passed - began) * 1000,
            "one": (time.perf_counter() - passed) * 1000,
        }

    def _look(self, service: Service) -> None:
        services.reconcile(self.cluster, service, self.now)

    def _serve(self, name: str) -> None:
        container = {"name": "app", "image": "app", "essential": True, "portMappings": []}
        definition = TaskDefinition(
            arn=_ARN + "task-definition/app:1",
            family="app",
            revision=1,
            body={"containerDefinitions": [container]},
            compatibilities=["EC2"],
            requires_attributes=[],
            registered_at=self.now,
            registered_by="me",
        )
        service = self.cluster.services[name] = Service(
            name=name,
            arn=f"{_ARN}service/c/{name}",
            cluster_arn=self.cluster.arn,
            created_at=self.now,
            created_by="me",
            desired_count=_TASKS,
            scheduling_strategy="REPLICA",
            deployment_configuration={"minimumHealthyPercent": 100, "maximumPercent": 200},
            request={},
            settings={"availabilityZoneRebalancing": ENABLED},
        )
        deployment = Deployment(
            task_definition=definition,
            created_at=self.now,
            updated_at=self.now,
            launch_type="EC2",
        )
        begin(service, deployment, self.now)
        self._look(service)
        for task in self.cluster.service_tasks(name):
            move(task, Status.RUNNING, self.now - 60)
        self._look(service)
        if not service.is_steady:
            raise BenchmarkError(f"the service {name} is not in its steady state")
