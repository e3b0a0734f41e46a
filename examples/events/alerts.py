"""A Lambda function behind an EventBridge rule: which events of ECS somebody is woken for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def handler(event: Mapping[str, Any], context: object) -> str | None:
    """The text of the alert; None: nobody need know."""
    detail = event["detail"]
    if event["detail-type"] == "ECS Task State Change":
        failed = [each for each in detail["containers"] if each.get("exitCode")]
        if detail["lastStatus"] == "STOPPED" and failed:
            codes = ", ".join(f"{each['name']} ({each['exitCode']})" for each in failed)
            return f"{detail['group']}: {codes} failed"
    elif event["detail-type"] == "ECS Deployment State Change" and detail["eventType"] == "ERROR":
        return f"{event['resources'][0].rpartition('/')[2]}: {detail['reason']}"
    return None
