"""kubelet's log files (CRI format) -> standard output and standard error. Pure.

A line is `<time> <stream> <tag> <text>`; the tag is F for a full line, P for a part of one (the
program wrote more than 16 KiB, or ended, without a line end).
"""

from __future__ import annotations

from kecs_server.engines.base import ContainerLogs


def parse(data: bytes) -> ContainerLogs:
    """What the program wrote, byte for byte. A line that is still being written is left out."""
    streams: dict[bytes, list[bytes]] = {b"stdout": [], b"stderr": []}
    for line in data.split(b"\n")[:-1]:
        parts = line.split(b" ", 3)
        if len(parts) == 4 and parts[1] in streams:
            is_part = parts[2].split(b":", 1)[0] == b"P"
            streams[parts[1]].append(parts[3] if is_part else parts[3] + b"\n")
    return ContainerLogs(stdout=b"".join(streams[b"stdout"]), stderr=b"".join(streams[b"stderr"]))
