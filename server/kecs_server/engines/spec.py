"""A task's record to what an engine needs: overrides, image stand-ins and variables resolved."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from typing import Any

from kecs_server.domain.firelens import PORT
from kecs_server.domain.firelens import configuration
from kecs_server.domain.firelens import is_router
from kecs_server.domain.firelens import router_of
from kecs_server.domain.images import Images
from kecs_server.domain.images import StandIn
from kecs_server.domain.images import expanded
from kecs_server.domain.images import find_stand_in
from kecs_server.domain.ports import ports_of
from kecs_server.domain.references import Resources
from kecs_server.domain.sizes import parse_cpu
from kecs_server.domain.sizes import parse_memory
from kecs_server.domain.task import Container
from kecs_server.domain.task import Task
from kecs_server.domain.ways_out import AGENT_ADDRESS
from kecs_server.domain.ways_out import OwnNetwork
from kecs_server.domain.ways_out import Place
from kecs_server.domain.ways_out import from_inside
from kecs_server.domain.ways_out import lay_out
from kecs_server.domain.ways_out import named_by
from kecs_server.engines.base import ContainerSpec
from kecs_server.engines.base import Mount
from kecs_server.engines.base import Named
from kecs_server.engines.base import TaskSpec
from kecs_server.engines.base import Tmpfs
from kecs_server.engines.base import Ulimit
from kecs_server.engines.base import Volume
from kecs_server.engines.base import VolumeKind
from kecs_server.settings import REAL_AWS

Structure = dict[str, Any]

DEFAULT_STOP_TIMEOUT = 30.0
"""Seconds from SIGTERM to SIGKILL (ecs-facts 6.7)."""

NOWHERE = "http://127.0.0.1:9"
"""An address where nobody answers (the discard port)."""

_ARCHITECTURES = {"X86_64": "amd64", "ARM64": "arm64"}

_FILE_SYSTEMS = (
    "efsVolumeConfiguration",
    "fsxWindowsFileServerVolumeConfiguration",
    "s3filesVolumeConfiguration",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Addressing:
    """What a container's program is told of its network: the address to listen at, for each TCP
    port of its mappings the port to listen on, and the addresses of the task's containers.
    """

    host: str
    ports: Mapping[int, int]
    peers: Mapping[str, str]

    def names(self) -> dict[str, str]:
        """For stand-ins: `{host}`, `{port:8080}`, `{peer:db}`."""
        return {
            "host": self.host,
            **{f"port:{port}": str(told) for port, told in self.ports.items()},
            **{f"peer:{name}": address for name, address in self.peers.items()},
        }

    def variables(self) -> dict[str, str]:
        """The same for the environment: KECS_HOST, KECS_PORT_8080, KECS_PEER_DB."""
        return {
            "KECS_HOST": self.host,
            **{f"KECS_PORT_{port}": str(told) for port, told in self.ports.items()},
            **{
                "KECS_PEER_" + re.sub("[^A-Z0-9]", "_", name.upper()): address
                for name, address in self.peers.items()
            },
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskNetwork:
    """What a task is told of its network: each container of it, where the task as such is reached
    (`address`, in awsvpc mode), and whether it is the task's own or the machine's.
    """

    addressing: Mapping[str, Addressing]
    address: str | None = None
    is_own: bool = False
    names: Mapping[Place, str] = field(default_factory=dict)
    """Where services are that it finds by name: HOST:PORT as its programs reach it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What containers get from where they run.

    realm: what sets the volumes that tasks share apart from those of other realms.
    endpoint: where they reach this server; None where they cannot.
    aws_endpoint: what has the rest of AWS, if something has (see `ServerSettings`).
    names: values of `{python}` and the like in stand-ins.
    agent_port: of this machine, where the agent of tasks with networks of their own listens.
    reach: what such tasks reach besides.
    services: those that the engine itself leads to; mark: what it knows the task's own service by.
    """

    realm: str
    region: str
    endpoint: str | None
    aws_endpoint: str | None = None
    images: Images
    names: Mapping[str, str]
    network: TaskNetwork
    agent_port: int | None = None
    reach: Sequence[Place] = ()
    services: Sequence[Named] = ()
    mark: str = ""


def task_spec(task: Task, surroundings: Surroundings) -> TaskSpec:
    body = task.task_definition.body
    sizes = {**body, **task.overrides}
    has_own = surroundings.network.is_own
    inside, places = _seen_from_inside(task, surroundings) if has_own else (surroundings, [])
    containers = tuple(_container_spec(task, container, inside) for container in task.containers)
    own_network = _own_network(task, containers, places, inside) if has_own else None
    if own_network is not None:
        containers = tuple(
            replace(container, hosts={**own_network.hosts, **container.hosts})
            for container in containers
        )
    return TaskSpec(
        task_id=task.id,
        task_arn=task.arn,
        family=task.task_definition.family,
        containers=containers,
        labels={
            "cluster": task.cluster_arn.rpartition("/")[2],
            "service": task.service_name or "",
            **({"serves": surroundings.mark} if surroundings.mark else {}),
        },
        network_mode=task.task_definition.network_mode,
        address=surroundings.network.address,
        own_network=own_network,
        names=tuple(surroundings.services),
        volumes=tuple(_volumes(task, surroundings.realm)),
        cpu=parse_cpu(sizes["cpu"]) if "cpu" in sizes else None,
        memory=parse_memory(sizes["memory"]) if "memory" in sizes else None,
        ephemeral_storage=_mebibytes(task.ephemeral_storage),
        architecture=_ARCHITECTURES.get(body.get("runtimePlatform", {}).get("cpuArchitecture")),
        pid_mode=body.get("pidMode"),
        ipc_mode=body.get("ipcMode"),
        node=task.node,
    )


def has_program(container: Container, images: Images) -> bool:
    """Whether anything but the image itself says what the container runs."""
    stand_in = find_stand_in(container.definition["image"], images) or StandIn()
    return any(_argv(container.definition, container.override, stand_in))


def _seen_from_inside(task: Task, surroundings: Surroundings) -> tuple[Surroundings, list[Place]]:
    """The same for a task with a network of its own, and what it must reach for that. In network
    mode none it reaches nothing.
    """
    if task.task_definition.network_mode == "none":
        nothing = replace(surroundings.network, names={})
        nowhere = replace(surroundings, endpoint=None, aws_endpoint=None, agent_port=None)
        return replace(nowhere, network=nothing), []
    agent_port, aws = surroundings.agent_port, surroundings.aws_endpoint
    endpoint = f"http://{AGENT_ADDRESS}" if agent_port is not None else None
    places = [*surroundings.reach, *surroundings.network.names]
    if aws is not None and aws != REAL_AWS:
        aws, place = from_inside(aws)
        places.append(place)
    return replace(surroundings, endpoint=endpoint, aws_endpoint=aws), places


def _own_network(
    task: Task,
    containers: Iterable[ContainerSpec],
    places: list[Place],
    surroundings: Surroundings,
) -> OwnNetwork:
    if task.task_definition.network_mode == "none":
        return OwnNetwork(hosts={})
    for container in containers:
        check = task.container(container.name).definition.get("healthCheck", {})
        argv = (
            *(container.entry_point or ()),
            *(container.command or ()),
            *check.get("command", ()),
        )
        places += named_by({**container.environment, **container.secrets}, argv)
    return lay_out(places, surroundings.agent_port)


def _container_spec(task: Task, container: Container, surroundings: Surroundings) -> ContainerSpec:
    definition = container.definition
    override = container.override
    image = definition["image"]
    addressing = surroundings.network.addressing[container.name]
    stand_in = _stand_in(image, addressing, surroundings)
    entry_point, command = _argv(definition, override, stand_in)
    linux = definition.get("linuxParameters", {})
    capabilities = linux.get("capabilities", {})
    resources = task.resources or Resources()
    environment, secrets = _environment(task, container, resources, stand_in, surroundings)
    return ContainerSpec(
        name=container.name,
        image=stand_in.image or image,
        entry_point=entry_point,
        command=command,
        environment=environment,
        secrets=secrets,
        login=resources.logins.get(container.name),
        files=_files(task, container, resources, addressing),
        working_directory=definition.get("workingDirectory") or stand_in.working_directory,
        stop_timeout=float(definition.get("stopTimeout", DEFAULT_STOP_TIMEOUT)),
        pull_error=stand_in.pull_error,
        cpu=override.get("cpu") or definition["cpu"],
        memory=override.get("memory", definition.get("memory")),
        memory_reservation=override.get("memoryReservation", definition.get("memoryReservation")),
        restarts=bool(definition.get("restartPolicy", {}).get("enabled")),
        user=definition.get("user"),
        hostname=definition.get("hostname"),
        hosts=_hosts(definition, addressing),
        dns_servers=tuple(definition.get("dnsServers", ())),
        dns_search_domains=tuple(definition.get("dnsSearchDomains", ())),
        interactive=definition.get("interactive", False),
        pseudo_terminal=definition.get("pseudoTerminal", False),
        privileged=definition.get("privileged", False),
        read_only_root=definition.get("readonlyRootFilesystem", False),
        init=linux.get("initProcessEnabled", False),
        gpus=_gpus({**definition, **override}),
        security_options=tuple(definition.get("dockerSecurityOptions", ())),
        capabilities_added=tuple(capabilities.get("add", ())),
        capabilities_dropped=tuple(capabilities.get("drop", ())),
        shared_memory=linux.get("sharedMemorySize"),
        tmpfs=tuple(_tmpfs(linux)),
        ulimits=tuple(_ulimits(definition)),
        system_controls=_system_controls(definition),
        docker_labels=definition.get("dockerLabels", {}),
        mounts=tuple(_mounts(task, definition)),
        ports=tuple(ports_of(definition)),
    )


def _stand_in(image: str, addressing: Addressing, surroundings: Surroundings) -> StandIn:
    """What runs in place of the image, with the names filled in that it may use."""
    found = find_stand_in(image, surroundings.images)
    if not found:
        return StandIn()
    led = surroundings.network.names.items()
    connect = {f"connect:{place.host}:{place.port}": told for place, told in led}
    return expanded(found, {**surroundings.names, **addressing.names(), **connect})


def _tmpfs(linux: Structure) -> Iterator[Tmpfs]:
    for tmpfs in linux.get("tmpfs", ()):
        yield Tmpfs(
            path=tmpfs["containerPath"],
            size=tmpfs["size"],
            options=tuple(tmpfs.get("mountOptions", ())),
        )


def _ulimits(definition: Structure) -> Iterator[Ulimit]:
    for limit in definition.get("ulimits", ()):
        yield Ulimit(name=limit["name"], soft=limit["softLimit"], hard=limit["hardLimit"])


def _system_controls(definition: Structure) -> dict[str, str]:
    return {
        control["namespace"]: control["value"]
        for control in definition["systemControls"]
        if "namespace" in control and "value" in control
    }


def _volumes(task: Task, realm: str) -> Iterator[Volume]:
    managed = task.managed_volume
    for definition in task.task_definition.body["volumes"]:
        volume = volume_of(definition, realm)
        if managed is not None and managed.name == volume.name:
            volume = replace(volume, size=_mebibytes(managed.size))
        yield volume


def _mebibytes(gibibytes: int | None) -> int | None:
    return None if gibibytes is None else gibibytes * 1024


def volume_of(definition: Structure, realm: str) -> Volume:
    """A volume of a task definition. Storage services become directories that all tasks of the
    realm with the same file system share; what a task's own volumes hold goes with the task.
    """
    name = definition["name"]
    host, docker = definition.get("host", {}), definition.get("dockerVolumeConfiguration")
    if host.get("sourcePath"):
        return Volume(name=name, kind=VolumeKind.HOST, source=host["sourcePath"])
    if docker is not None and docker.get("scope") == "shared":
        return Volume(name=name, kind=VolumeKind.SHARED, source=f"{realm}/docker/{name}")
    for service in _FILE_SYSTEMS:
        if service in definition:
            place = _place(definition[service])
            return Volume(name=name, kind=VolumeKind.SHARED, source=f"{realm}/{service}/{place}")
    return Volume(name=name, kind=VolumeKind.TASK)


def _place(configuration: Structure) -> str:
    """Which directory of a storage service is meant, however it is reached."""
    file_system = configuration.get("fileSystemId") or configuration.get("fileSystemArn")
    access_point = configuration.get("accessPointArn") or configuration.get(
        "authorizationConfig", {}
    ).get("accessPointId")
    return json.dumps([file_system, configuration.get("rootDirectory") or "/", access_point])


def _mounts(task: Task, definition: Structure) -> Iterator[Mount]:
    """The container's own mount points, and those of the containers that volumesFrom names."""
    for point in definition["mountPoints"]:
        yield Mount(
            volume=point["sourceVolume"],
            path=point["containerPath"],
            read_only=point.get("readOnly", False),
        )
    for source in definition["volumesFrom"]:
        other = task.container(source["sourceContainer"]).definition
        for mount in _mounts(task, other):
            yield replace(mount, read_only=mount.read_only or source.get("readOnly", False))


def _gpus(definition: Structure) -> int:
    """How many the container has for itself; 0 for `ALL` and for shared ones."""
    for requirement in definition.get("resourceRequirements", ()):
        if requirement["type"] == "GPU" and requirement.get("value", "").isdigit():
            return int(requirement["value"])
    return 0


def _hosts(definition: Structure, addressing: Addressing) -> dict[str, str]:
    """The container's lines of /etc/hosts: its links by name and alias, and what it adds."""
    hosts: dict[str, str] = {}
    for link in definition.get("links", ()):
        name, _, alias = link.partition(":")
        hosts |= {name: addressing.peers[name], alias or name: addressing.peers[name]}
    for host in definition.get("extraHosts", ()):
        hosts[host["hostname"]] = host["ipAddress"]
    return hosts


def _argv(
    definition: Structure, override: Structure, stand_in: StandIn
) -> tuple[tuple[str, ...] | None, tuple[str, ...] | None]:
    """ENTRYPOINT and CMD as Docker combines them: an entryPoint of the definition drops the
    image's CMD, a command replaces it.
    """
    entry_point = definition.get("entryPoint")
    command = override.get("command", definition.get("command"))
    image_command = stand_in.command if not entry_point else ()
    return (
        tuple(entry_point or stand_in.entrypoint) or None,
        tuple(command or image_command) or None,
    )


def _injected(task: Task, container: Container, surroundings: Surroundings) -> dict[str, str]:
    """The agent's variables (ecs-facts 17.1). Credentials are named by their full URI, since the
    relative one means 169.254.170.2; SDKs take them over plain HTTP from there and from loopback.
    """
    kind = task.launch_type if task.launch_type in ("FARGATE", "MANAGED_INSTANCES") else "EC2"
    injected = {
        "AWS_EXECUTION_ENV": f"AWS_ECS_{kind}",
        "AWS_REGION": surroundings.region,
        "AWS_DEFAULT_REGION": surroundings.region,
        **surroundings.network.addressing[container.name].variables(),
        **_endpoint_urls(surroundings),
        **_name_variables(surroundings.network.names),
        **_router_address(task, container, surroundings.network.addressing),
    }
    endpoint, identifier = surroundings.endpoint, container.metadata_id
    if endpoint is not None:
        injected["ECS_CONTAINER_METADATA_URI"] = f"{endpoint}/v3/{identifier}"
        injected["ECS_CONTAINER_METADATA_URI_V4"] = f"{endpoint}/v4/{identifier}"
        injected["ECS_AGENT_URI"] = f"{endpoint}/api/{identifier}"
    if endpoint is not None and task.role is not None:
        path = f"/v2/credentials/{task.credentials_id}"
        injected["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = endpoint + path
    return injected


def _name_variables(names: Mapping[Place, str]) -> dict[str, str]:
    """KECS_CONNECT_DB_5432 for the name `db` and port 5432."""
    return {
        f"KECS_CONNECT_{re.sub('[^A-Z0-9]', '_', place.host.upper())}_{place.port}": told
        for place, told in names.items()
    }


def _files(
    task: Task, container: Container, resources: Resources, addressing: Addressing
) -> dict[str, str]:
    """What the agent puts into the container: a log router's configuration."""
    if not is_router(container.definition):
        return {}
    address = addressing.host, addressing.ports[PORT]
    path, text = configuration(task, address, resources.log_options)
    return {path: text}


def _router_address(
    task: Task, container: Container, addressing: Mapping[str, Addressing]
) -> dict[str, str]:
    """Where a program reaches its task's log router by itself."""
    router = router_of(task)
    if router is None or router is container:
        return {}
    port = addressing[router.name].ports[PORT]
    return {"FLUENT_HOST": addressing[container.name].peers[router.name], "FLUENT_PORT": str(port)}


def _endpoint_urls(surroundings: Surroundings) -> dict[str, str]:
    """Nothing in a task reaches real AWS by accident, and nothing another ECS than this."""
    ours = surroundings.endpoint or NOWHERE
    if surroundings.aws_endpoint is None:
        return {"AWS_ENDPOINT_URL": ours}
    if surroundings.aws_endpoint == REAL_AWS:
        return {"AWS_ENDPOINT_URL_ECS": ours}
    return {"AWS_ENDPOINT_URL": surroundings.aws_endpoint, "AWS_ENDPOINT_URL_ECS": ours}


def _environment(
    task: Task,
    container: Container,
    resources: Resources,
    stand_in: StandIn,
    surroundings: Surroundings,
) -> tuple[dict[str, str], dict[str, str]]:
    """The variables, those from secrets apart. Later ones win: what ECS injects, the image's,
    those of environment files, the definition's with its secrets, the override's (ecs-facts 6.13);
    no override has the name of a secret.
    """
    secrets = resources.secrets.get(container.name, {})
    environment = {
        **_injected(task, container, surroundings),
        **stand_in.environment,
        **resources.files.get(container.name, {}),
        **_pairs(container.definition["environment"]),
        **_pairs(container.override.get("environment", ())),
    }
    return {name: value for name, value in environment.items() if name not in secrets}, secrets


def _pairs(environment: Iterable[Structure]) -> dict[str, str]:
    return {pair["name"]: pair.get("value", "") for pair in environment}
