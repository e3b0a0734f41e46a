"""A load balancer as the test sees it."""

from __future__ import annotations

from typing import Any

from kecs_server.domain.target import GONE
from kecs_server.domain.target import UNUSED
from kecs_server.network.host_ports import HOST
from kecs_server.state.realm import Realm
from kecs_server.traffic.balancers import Balancers

Structure = dict[str, Any]


def load_balancer_view(balancers: Balancers, realm: Realm, arn: str, *, test: bool) -> Structure:
    """Address, targets and shares of a listener, which listens from now on.

    :raises ValueError: no service of the realm has what `arn` names.
    """
    try:
        listener = balancers.open(realm, arn, test=test)
    except LookupError as error:
        raise ValueError(str(error)) from error
    counts = listener.router.counts.copy()
    with realm.reading():
        groups = {*listener.router.weights, listener.name[0]}
        arns = {
            number: arn
            for _, service in realm.services()
            for number, arn in (
                *((n, service.revision_arn(each)) for n, each in service.revisions.items()),
                *((each.deployment.number, each.arn) for each in service.task_sets),
            )
        }
        targets = [
            {
                "task": task.arn,
                "target_group": target.group.arn,
                "container": target.container,
                "port": target.port,
                "state": target.state,
                "reason": target.reason,
                "revision": arns.get(target.revision, target.revision),
                "requests": counts[target.revision, task.id],
            }
            for task in realm.tasks()
            for target in task.targets
            if target.group.arn in groups and target.state not in (UNUSED, GONE)
        ]
    answered: dict[str, int] = {}
    for (number, _), count in counts.items():
        name = arns.get(number, number)
        answered[name] = answered.get(name, 0) + count
    return {
        "host": HOST,
        "port": listener.port,
        "protocol": listener.group.protocol,
        "targets": targets,
        "weights": dict(listener.router.weights),
        "counts": answered,
    }
