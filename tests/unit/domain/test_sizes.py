"""Notations of CPU and memory, and the pairs that Fargate has (ecs-facts 4.1, 4.4)."""

from __future__ import annotations

import pytest
from kecs_server.domain.sizes import is_fargate_size
from kecs_server.domain.sizes import parse_cpu
from kecs_server.domain.sizes import parse_memory


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("256", 256),
        (" 256 ", 256),
        ("1 vCPU", 1024),
        ("1vcpu", 1024),
        (".25 vCPU", 256),
        ("0.5 VCPU", 512),
        ("16 vCPU", 16384),
        ("", None),
        ("0", None),
        ("0 vCPU", None),
        ("-1", None),
        ("1.5", None),
        ("1 GB", None),
        ("vCPU", None),
        ("1 vCPU x", None),
        ("٣", None),
        ("9" * 21, None),
        ("9" * 5000, None),
        ("9" * 400 + " vCPU", None),
    ],
)
def test_cpu(text: str, units: int | None) -> None:
    assert parse_cpu(text) == units


@pytest.mark.parametrize(
    ("text", "mebibytes"),
    [("512", 512), ("1GB", 1024), ("0.5 GB", 512), ("30 gb", 30720), ("1 MB", None), ("GB", None)],
)
def test_memory(text: str, mebibytes: int | None) -> None:
    assert parse_memory(text) == mebibytes


@pytest.mark.parametrize(
    ("cpu", "lowest", "highest", "step", "count"),
    [
        (512, 1024, 4096, 1024, 4),
        (1024, 2048, 8192, 1024, 7),
        (2048, 4096, 16384, 1024, 13),
        (4096, 8192, 30720, 1024, 23),
        (8192, 16384, 61440, 4096, 12),
        (16384, 32768, 122880, 8192, 12),
    ],
)
def test_fargate(cpu: int, lowest: int, highest: int, step: int, count: int) -> None:
    fitting = [memory for memory in range(0, 130_000, 512) if is_fargate_size(cpu, memory)]
    assert fitting == list(range(lowest, highest + 1, step))
    assert len(fitting) == count


def test_smallest_fargate() -> None:
    assert [memory for memory in range(4096) if is_fargate_size(256, memory)] == [512, 1024, 2048]
    assert not is_fargate_size(300, 512)
