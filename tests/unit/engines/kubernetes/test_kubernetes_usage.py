"""What a Pod stores, of kubelet's summary."""

from __future__ import annotations

from typing import Any

import pytest
from kecs_server.engines.kubernetes.usage import read_storage

COUNTED = {"rootfs": {"usedBytes": 5}, "logs": {"usedBytes": 2}}


@pytest.mark.parametrize(
    ("pod", "stored"),
    [
        ({"ephemeral-storage": {"usedBytes": 9}, "containers": [COUNTED]}, 9),
        ({"containers": [COUNTED, {"rootfs": {"usedBytes": 1}, "logs": {}}]}, 8),
        ({"containers": [{"rootfs": {"time": "now"}}]}, None),
        ({"containers": []}, None),
    ],
    ids=["sum", "parts", "not-yet", "no-container"],
)
def test_what_a_pod_stores(pod: dict[str, Any], stored: int | None) -> None:
    other = {"podRef": {"uid": "other"}, "containers": [COUNTED]}
    summary = {"pods": [other, {"podRef": {"uid": "u"}, **pod}]}
    assert read_storage(summary, "u") == stored
    assert read_storage({"pods": [other]}, "u") is None
