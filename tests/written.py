"""What a container wrote, whole: for tests of engines."""

from __future__ import annotations

from dataclasses import dataclass

from kecs_server.engines.logs import ContainerLog


@dataclass(frozen=True)
class Written:
    """All that a container wrote."""

    stdout: bytes = b""
    stderr: bytes = b""


def read_all(log: ContainerLog) -> Written:
    parts: dict[str, list[bytes]] = {"stdout": [], "stderr": []}
    chunk = log.read()
    while True:
        for entry in chunk.entries:
            parts[entry.stream].append(entry.data)
        if not chunk.more:
            return Written(**{stream: b"".join(data) for stream, data in parts.items()})
        chunk = log.read(chunk.cursor)
