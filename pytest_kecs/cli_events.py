"""`kecs events`: what ECS sends to EventBridge."""

from __future__ import annotations

import argparse
import json

from pytest_kecs.cli_environments import account_client
from pytest_kecs.events import EventQuery
from pytest_kecs.logs import HOLD_SECONDS


def show(given: argparse.Namespace) -> int:
    """Print a line for each event: of its own, or JSON as EventBridge gives it to a target."""
    query = EventQuery(detail_type=given.type, resource=given.resource)
    with account_client() as client:
        page = client.read_events(0)
        while True:
            for event in page.events:
                if not query.differences(event):
                    text = json.dumps(event.envelope) if given.json else str(event)
                    print(text, flush=given.follow)
            if page.ended or not (page.more or given.follow):
                return 0
            page = client.read_events(page.cursor, wait=HOLD_SECONDS if given.follow else None)
