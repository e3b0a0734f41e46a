"""Deletes what environments left in a cluster that did not come to close."""

from __future__ import annotations

from datetime import UTC
from datetime import datetime
from datetime import timedelta
from pathlib import Path
from typing import Any

from kecs_server.engines.kubernetes.api import ClusterApi
from kecs_server.engines.kubernetes.api import connect
from kecs_server.engines.kubernetes.api_errors import ApiError
from kecs_server.engines.kubernetes.labels import ENVIRONMENT_LABEL
from kecs_server.engines.kubernetes.labels import MANAGED_BY
from kecs_server.engines.kubernetes.labels import environment_selector
from kecs_server.engines.kubernetes.lease import LEASE_SECONDS
from kecs_server.engines.kubernetes.lease import is_expired

_OURS = ",".join(f"{key}={value}" for key, value in MANAGED_BY.items())


def reap_expired(
    kubeconfig: Path | str | None, context: str | None, namespace: str | None = None
) -> list[str]:
    """Delete what belongs to environments whose lease has expired.

    :param namespace: look in this one only, and keep it; None: in all namespaces of ours.
    :returns: names of the environments whose remains were deleted.
    :raises EngineError: the cluster cannot be reached, or refuses.
    """
    path = Path(kubeconfig) if kubeconfig is not None else None
    api = connect(path, context, patience=0)
    try:
        return reap(api, namespace)
    finally:
        api.close()


def reap(api: ClusterApi, namespace: str | None = None) -> list[str]:
    """The same over a connection that exists.

    :raises ApiError: the cluster cannot be reached, or refuses.
    """
    now = datetime.now(UTC)
    if namespace is not None:
        return _reap_leases(api, namespace, now)
    reaped = []
    for each in api.list_namespaces(_OURS):
        name = each["metadata"]["name"]
        if "deletionTimestamp" not in each["metadata"] and _is_abandoned(api, each, now):
            api.delete_namespace(name)
            reaped.append(name)
    return reaped


def delete_tasks(api: ClusterApi, namespace: str, environment: str) -> None:
    """Delete all Pods of an environment, without waiting for their containers to end, and their
    Secrets and Services.

    :raises ApiError: the cluster cannot be reached, or refuses.
    """
    pods, _ = api.list_pods(namespace, environment_selector(environment))
    for pod in pods:
        api.delete_pod(namespace, pod["metadata"]["name"], grace=0)
    api.delete_secrets(namespace, environment_selector(environment))
    try:
        services = api.list_services(namespace, environment_selector(environment))
    except ApiError as error:
        if error.status != 403:
            raise
        services = []  # who may not list them could not make any either
    for service in services:
        api.delete_service(namespace, service["metadata"]["name"])


def _reap_leases(api: ClusterApi, namespace: str, now: datetime) -> list[str]:
    reaped = []
    for lease in api.list_leases(namespace, _OURS):
        if is_expired(lease, now):
            environment = lease["metadata"]["labels"][ENVIRONMENT_LABEL]
            delete_tasks(api, namespace, environment)
            api.delete_lease(namespace, lease["metadata"]["name"])
            reaped.append(environment)
    return reaped


def _is_abandoned(api: ClusterApi, namespace: dict[str, Any], now: datetime) -> bool:
    """A namespace without a lease is one whose environment did not get that far, or will soon."""
    leases = api.list_leases(namespace["metadata"]["name"], _OURS)
    if leases:
        return all(is_expired(lease, now) for lease in leases)
    made = datetime.fromisoformat(namespace["metadata"]["creationTimestamp"])
    return made + timedelta(seconds=LEASE_SECONDS) < now
