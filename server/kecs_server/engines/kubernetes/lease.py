"""A Lease object says that an environment lives; what belongs to expired ones may be deleted."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Mapping
from datetime import UTC
from datetime import datetime
from datetime import timedelta
from threading import Event
from threading import Thread
from typing import Any

from kecs_server.engines.base import EngineError
from kecs_server.engines.kubernetes.api import ClusterApi
from kecs_server.engines.kubernetes.labels import environment_labels
from kecs_server.engines.kubernetes.streams import Json

_log = logging.getLogger(__name__)

LEASE_SECONDS = 120
_RENEW_SECONDS = 20.0


class LeaseKeeper:
    """Holds the Lease of an environment, named like it, and renews it until `close`."""

    def __init__(self, api: ClusterApi, namespace: str, environment: str) -> None:
        self._api = api
        self._namespace = namespace
        self._environment = environment
        self._closed = Event()
        self._thread = Thread(target=self._work, name="kecs-lease", daemon=True)

    def start(self) -> None:
        """:raises ApiError: the Lease cannot be written."""
        self._renew()
        self._thread.start()

    def close(self) -> None:
        self._closed.set()
        if self._thread.ident is not None:
            self._thread.join(10)

    def _work(self) -> None:
        while not self._closed.wait(_RENEW_SECONDS):
            try:
                self._renew()
            except EngineError as error:
                _log.warning("The lease of %s was not renewed: %s", self._environment, error)

    def _renew(self) -> None:
        lease = build_lease(self._environment, datetime.now(UTC), LEASE_SECONDS)
        self._api.put_lease(self._namespace, self._environment, lease)


def build_lease(environment: str, now: datetime, seconds: int) -> Json:
    return {
        "metadata": {"labels": environment_labels(environment)},
        "spec": {
            "holderIdentity": f"{socket.gethostname()}/{os.getpid()}",
            "leaseDurationSeconds": seconds,
            "renewTime": now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        },
    }


def is_expired(lease: Mapping[str, Any], now: datetime) -> bool:
    """Whether a Lease, as the API sends it, was not renewed in time."""
    spec = lease.get("spec", {})
    if "renewTime" not in spec:
        return True
    duration = timedelta(seconds=spec.get("leaseDurationSeconds", LEASE_SECONDS))
    return datetime.fromisoformat(spec["renewTime"]) + duration < now
