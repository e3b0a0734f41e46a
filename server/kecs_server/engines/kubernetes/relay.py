"""The agent's address 169.254.170.2 in the Pods of a kind cluster.

Pods cannot reach the loopback of this machine. The server listens at the container network's
gateway too, and each node sends what is meant for the agent there.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from collections.abc import Sequence

from kecs_server.engines.base import EngineError
from kecs_server.engines.kubernetes.commands import run

_log = logging.getLogger(__name__)

_FORWARD = (
    "for chain in PREROUTING OUTPUT; do iptables -w -t nat -A $chain -d 169.254.170.2/32 -p tcp "
    '--dport 80 -j DNAT --to-destination "$1" || exit 1; done'
)


def open_relay(nodes: Sequence[str], serve: Callable[[str], int]) -> None:
    """Have the nodes forward what Pods say to their agent to where `serve` listens.

    A machine on which that cannot be (a container engine in a virtual machine, say) is said in
    the log; Pods do without their agent there.
    """
    try:
        gateway = _gateway(nodes[0])
        target = f"{gateway}:{serve(gateway)}"
        for node in nodes:
            command = ["docker", "exec", node, "sh", "-c", _FORWARD, "sh", target]
            run(command, what=f"the node {node} could not forward to the agent", timeout=30)
    except (EngineError, OSError) as error:
        _log.warning("Pods cannot reach the metadata and credentials endpoints: %s", error)


def _gateway(node: str) -> str:
    """The address of this machine in the nodes' network.

    :raises EngineError: there is none.
    """
    command = ["docker", "inspect", "--format", "{{json .NetworkSettings.Networks}}", node]
    text = run(command, what=f"the network of the node {node} is not known", timeout=30)
    for network in json.loads(text).values():
        if network.get("Gateway"):
            return str(network["Gateway"])
    raise EngineError(f"the network of the node {node} has no gateway")
