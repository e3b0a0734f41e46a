"""CPU and memory of tasks: notations, and the pairs that Fargate has (ecs-facts 4.1, 4.4)."""

from __future__ import annotations

import re

_VCPU = re.compile(r"(\d*\.?\d+)\s*vcpu\Z", re.IGNORECASE)
_GIGABYTES = re.compile(r"(\d*\.?\d+)\s*gb\Z", re.IGNORECASE)

_LONGEST = 20
"""Characters that a size may have; no host has more than such a number says."""

_FARGATE_MEMORY: dict[int, tuple[int, ...]] = {
    256: (512, 1024, 2048),
    512: tuple(range(1024, 4096 + 1, 1024)),
    1024: tuple(range(2048, 8192 + 1, 1024)),
    2048: tuple(range(4096, 16384 + 1, 1024)),
    4096: tuple(range(8192, 30720 + 1, 1024)),
    8192: tuple(range(16384, 61440 + 1, 4096)),
    16384: tuple(range(32768, 122880 + 1, 8192)),
}


def parse_cpu(text: str) -> int | None:
    """CPU units of `1024`, `1 vCPU`, `.25 vcpu`; None if the text is no such thing."""
    return _units(text, _VCPU)


def parse_memory(text: str) -> int | None:
    """MiB of `1024`, `1GB`, `0.5 gb`; None if the text is no such thing."""
    return _units(text, _GIGABYTES)


def _units(text: str, notation: re.Pattern[str]) -> int | None:
    text = text.strip()
    if len(text) > _LONGEST:
        return None
    if text.isascii() and text.isdigit():
        return int(text) or None
    match = notation.match(text)
    return int(float(match[1]) * 1024) or None if match else None


def is_fargate_size(cpu: int, memory: int) -> bool:
    return memory in _FARGATE_MEMORY.get(cpu, ())
