"""The engine's hosts as container instances of a cluster, while hosts come and go."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass

from kecs_server.domain.arns import new_container_instance_id
from kecs_server.domain.arns import new_ec2_instance_id
from kecs_server.domain.arns import parse_arn
from kecs_server.domain.cluster import Cluster
from kecs_server.domain.instance import AGENT_VERSION
from kecs_server.domain.instance import INACTIVE
from kecs_server.domain.instance import ContainerInstance
from kecs_server.domain.instance import Host
from kecs_server.domain.instance import host_attributes
from kecs_server.domain.instance import host_resources


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosts:
    """The machines that take tasks now, and the nodes that there are, be it that they take none."""

    usable: tuple[Host, ...]
    nodes: frozenset[str | None] = frozenset()


def default_zone(cluster: Cluster) -> str:
    """Of a host that says none."""
    arn = parse_arn(cluster.arn)
    return f"{arn.region if arn else ''}a"


def add_instance(cluster: Cluster, host: Host, now: float) -> ContainerInstance:
    """An instance that has all that the host has."""
    identifier = new_container_instance_id()
    prefix = cluster.arn.replace(":cluster/", ":container-instance/", 1)
    instance = ContainerInstance(
        id=identifier,
        arn=f"{prefix}/{identifier}",
        cluster_arn=cluster.arn,
        ec2_instance_id=new_ec2_instance_id(),
        resources=host_resources(host),
        attributes=host_attributes(host, default_zone(cluster)),
        registered_at=now,
        agent_connected=host.is_connected,
        node=host.node,
        news=[(now, "registered")],
    )
    cluster.instances[identifier] = instance
    return instance


def add_host(cluster: Cluster, host: Host, now: float) -> ContainerInstance:
    """The instance that the host itself is, which nobody registers."""
    instance = add_instance(cluster, host, now)
    instance.is_host = True
    instance.version_info = {"agentVersion": AGENT_VERSION}
    return instance


def deregister(cluster: Cluster, instance: ContainerInstance, now: float) -> None:
    """Take the instance out of its cluster; its tasks are left alone."""
    instance.status = INACTIVE
    cluster.draining.discard(instance.arn)
    instance.agent_connected = False
    instance.deregistered_at = now
    instance.changed(now, INACTIVE)


def follow(cluster: Cluster, before: Hosts, after: Hosts, now: float) -> list[ContainerInstance]:
    """Hosts came, changed or went: what that makes of a cluster that has them.

    The agent of a host that takes no tasks any more, or does not answer, is disconnected; one that
    is gone is deregistered, as ECS does with an EC2 instance that is terminated (ecs-facts 12.4).

    :returns: the instances that came or changed.
    """
    by_node = {host.node: host for host in after.usable}
    changed: list[ContainerInstance] = []
    for instance in cluster.registered_instances():
        if instance.has_own_agent:
            continue
        if instance.node is None and instance.is_host and None not in by_node:
            changed += _found(cluster, instance, after.usable, now)
        elif instance.node is not None and _update(cluster, instance, by_node, after.nodes, now):
            changed.append(instance)
    if any(instance.is_host for instance in cluster.instances.values()):
        changed += [add_host(cluster, host, now) for host in _new(cluster, before, after)]
    return changed


def _found(
    cluster: Cluster, instance: ContainerInstance, hosts: Sequence[Host], now: float
) -> Iterator[ContainerInstance]:
    """What stood for machines that nobody had seen yet is one of them."""
    taken = {each.node for each in cluster.registered_instances() if each.is_host}
    for host in hosts:
        if host.node not in taken:
            instance.node = host.node
            instance.resources = host_resources(host)
            instance.attributes |= host_attributes(host, default_zone(cluster))
            instance.agent_connected = host.is_connected
            instance.changed(now, f"is the node {host.node}")
            yield instance
            return


def _update(
    cluster: Cluster,
    instance: ContainerInstance,
    by_node: dict[str | None, Host],
    nodes: frozenset[str | None],
    now: float,
) -> bool:
    """:returns: whether anything of the instance changed."""
    if instance.node not in nodes:
        deregister(cluster, instance, now)
        return True
    host = by_node.get(instance.node)
    is_connected = host is not None and host.is_connected
    resources = host_resources(host) if host and instance.is_host else instance.resources
    if (is_connected, resources) == (instance.agent_connected, instance.resources):
        return False
    if is_connected != instance.agent_connected:
        text = f"agent {'connected' if is_connected else 'disconnected'}"
    else:
        text = "has other resources"
    instance.agent_connected, instance.resources = is_connected, resources
    instance.changed(now, text)
    return True


def _new(cluster: Cluster, before: Hosts, after: Hosts) -> Iterator[Host]:
    """Hosts that were not there before. One that a call has deregistered is not new."""
    known = {host.node for host in before.usable}
    taken = {each.node for each in cluster.registered_instances() if each.is_host}
    return (host for host in after.usable if host.node not in known | taken)
