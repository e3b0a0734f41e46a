"""What the flight recorder costs an API call: beside a server that is made to record nothing."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial

from benchmarks import ours
from benchmarks.calls import Call
from benchmarks.calls import calls_of
from benchmarks.calls import fill
from benchmarks.calls import timed
from benchmarks.figures import Peer
from benchmarks.figures import Row
from benchmarks.figures import compared
from benchmarks.plan import Plan
from benchmarks.rounds import interleaved

_AIM = 1.05
_DEAF = """
import sys
from kecs_server.__main__ import main
from kecs_server.state.timeline import Timeline
Timeline.add_call = lambda *_, **__: None
sys.exit(main())
"""
_DEAF_COMMAND = (sys.executable, "-P", "-c", _DEAF)


def measure(plan: Plan) -> list[Row]:
    with ExitStack() as stack:
        subjects = {}
        for name, command in (("ours", None), ("unrecorded", _DEAF_COMMAND)):
            client = stack.enter_context(ours.environment(command=command)).ecs()
            tasks = fill(client, "subnet-1")
            client.get_waiter("tasks_running").wait(tasks=tasks)
            subjects[name] = calls_of(client, tasks)
        return [
            _row(name, {subject: calls[name] for subject, calls in subjects.items()}, plan.calls)
            for name in subjects["ours"]
        ]


def _row(name: str, subjects: Mapping[str, Call], rounds: int) -> Row:
    calls = {subject: partial(timed, call) for subject, call in subjects.items()}
    figures = interleaved(calls, rounds, discarded=10)
    peer = Peer(name="recording nothing", figure=figures["unrecorded"]["call"])
    return compared("flight recorder", name, "ms", figures["ours"]["call"], peer, at_most=_AIM)
