"""An environment's start: from spawning the process to the first ECS call answered."""

from __future__ import annotations

import time
from collections.abc import Mapping

from kecs_server.credentials import Credentials

from benchmarks import ours
from benchmarks.figures import Peer
from benchmarks.figures import Row
from benchmarks.figures import compared
from benchmarks.moto import MotoServer
from benchmarks.moto import free_port
from benchmarks.moto import moto_server
from benchmarks.plan import Plan
from benchmarks.raw import first_answer
from benchmarks.raw import list_clusters_headers
from benchmarks.rounds import interleaved
from pytest_kecs.launcher import Launcher
from pytest_kecs.launcher import LaunchOptions

MOTO_CREDENTIALS = Credentials("testing", "testing")


def measure(plan: Plan) -> list[Row]:
    figures = interleaved({"ours": _start_ours, "moto": _start_moto}, plan.starts)
    return [
        compared(
            "start",
            "environment start to first call answered",
            "ms",
            figures["ours"]["start"],
            Peer(name="moto_server", figure=figures["moto"]["start"]),
            at_most=1.0,
        )
    ]


def _start_ours() -> Mapping[str, float]:
    with Launcher(LaunchOptions()) as launcher:
        headers = list_clusters_headers(launcher.endpoint, ours.credentials(launcher))
        began = time.perf_counter()
        launcher.start()
        first_answer(launcher.endpoint, headers)
        return {"start": 1000 * (time.perf_counter() - began)}


def _start_moto() -> Mapping[str, float]:
    port = free_port()
    headers = list_clusters_headers(f"http://127.0.0.1:{port}", MOTO_CREDENTIALS)
    began = time.perf_counter()
    with moto_server(port) as moto:
        first_answer(moto.endpoint, headers)
        return {"start": 1000 * (time.perf_counter() - began)}


def wait_for_moto(moto: MotoServer) -> None:
    """Return once it answers."""
    first_answer(moto.endpoint, list_clusters_headers(moto.endpoint, MOTO_CREDENTIALS))
