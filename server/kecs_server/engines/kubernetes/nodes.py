"""What is done on a kind node itself, through `docker exec`: signals, processes, listeners."""

from __future__ import annotations

from collections.abc import Sequence

from kecs_server.engines.kubernetes.commands import run

# All at once: one `ctr` takes about 0.1 s.
_SIGNAL = (
    'signal=$1; shift; for id; do ctr --namespace k8s.io task kill --signal "$signal" "$id" '
    "2>/dev/null & done; wait"
)
# Process number and age in seconds of what was executed in a container beside its own process.
_LIST_COMMANDS = (
    "ctr --namespace k8s.io task ps \"$1\" | awk 'tolower($0) ~ /exec_?id/ {print $1}' | "
    "while read -r pid; do awk -v pid=$pid -v tick=$(getconf CLK_TCK) 'NR == FNR {up = $1; next} "
    '{sub(/.*\\) /, ""); print pid, up - $20 / tick}\' /proc/uptime /proc/$pid/stat; done'
)
_KILL_TREE = (
    'tree() { for child in $(pgrep -P "$1"); do tree "$child"; done; echo "$1"; }; '
    'kill -KILL $(tree "$1")'
)
_SAME_SECONDS = 2.0
# Who has a socket that listens (state 0A) on the port: `own` is written for a process of the
# container, `other` otherwise.
_FIND_LISTENER = (
    'pids=$(ctr --namespace k8s.io task ps "$1" | awk \'NR > 1 {print $1}\'); set -- "$2" $pids; '
    "port=$1; shift; [ $# -gt 0 ] || exit 0; "
    'for inode in $(awk -v port="$port" \'split($2, at, ":") && at[2] == port && $4 == "0A" '
    "{print $10}' /proc/$1/net/tcp /proc/$1/net/tcp6); do "
    'for pid; do ls -l /proc/$pid/fd 2>/dev/null; done | grep -qF "socket:[$inode]" '
    "&& echo own || echo other; done"
)


def send_signal(node: str, signal: str, container_ids: Sequence[str]) -> None:
    """Send a signal to the first process of each container; those that ended are passed over.

    :param container_ids: as the Pod's status has them (`containerd://...`).
    :raises CommandError: the node does not answer.
    """
    ids = [container_id.rpartition("/")[2] for container_id in container_ids]
    command = ["docker", "exec", node, "sh", "-c", _SIGNAL, "sh", signal, *ids]
    run(command, what=f"the node {node} could not send {signal}", timeout=30)


def kill_command(node: str, container_id: str, age: float) -> None:
    """Kill a command that was executed in a container `age` seconds ago, and its children.

    The API does not tell the process of a command; its age does. Nothing is done when none has
    that age, within a second or two.

    :raises CommandError: the node does not answer.
    """
    identity = container_id.rpartition("/")[2]
    what = f"the node {node} could not kill a command"
    command = ["docker", "exec", node, "sh", "-c", _LIST_COMMANDS, "sh", identity]
    listed = [line.split() for line in run(command, what=what, timeout=30).decode().splitlines()]
    differences = [(abs(float(its_age) - age), pid) for pid, its_age in listed]
    difference, pid = min(differences, default=(_SAME_SECONDS, ""))
    if difference < _SAME_SECONDS:
        run(["docker", "exec", node, "sh", "-c", _KILL_TREE, "sh", pid], what=what, timeout=30)


def is_listener(node: str, container_id: str, port: int) -> bool | None:
    """Whether a process of the container listens on the TCP port; None: nobody in the Pod does.

    :raises CommandError: the node does not answer.
    """
    identity = container_id.rpartition("/")[2]
    what = f"the node {node} could not tell who listens on port {port}"
    command = ["docker", "exec", node, "sh", "-c", _FIND_LISTENER, "sh", identity, f"{port:04X}"]
    found = run(command, what=what, timeout=30).split()
    return b"own" in found if found else None
