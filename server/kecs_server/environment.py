"""The wiring: realms, scheduler and engines of one server, and how a realm comes and goes."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from kecs_server.aws.alarms import Alarms
from kecs_server.aws.cloud_map import CloudMap
from kecs_server.aws.endpoints import Endpoints
from kecs_server.aws.events import Sender
from kecs_server.aws.fetching import Fetcher
from kecs_server.aws.firelens import Firelens
from kecs_server.aws.hooks import HookCaller
from kecs_server.aws.logs import Logs
from kecs_server.aws.pool import Pool
from kecs_server.domain.arns import parse_arn
from kecs_server.domain.discovery import mark_of
from kecs_server.domain.hosts import Hosts
from kecs_server.domain.images import parse_images
from kecs_server.domain.instance import UNKNOWN_HOST
from kecs_server.domain.instance import Host
from kecs_server.domain.task import Task
from kecs_server.domain.ways_out import AGENT_ADDRESS
from kecs_server.domain.ways_out import LOCALHOST
from kecs_server.domain.ways_out import parse_place
from kecs_server.engines.base import Engine
from kecs_server.engines.base import Observation
from kecs_server.engines.base import TaskSpec
from kecs_server.engines.host import EngineHost
from kecs_server.engines.machine import this_machine
from kecs_server.engines.spec import Surroundings
from kecs_server.engines.spec import task_spec
from kecs_server.events import Recorder
from kecs_server.events import Sink
from kecs_server.network.names import names_of
from kecs_server.network.network import Network
from kecs_server.scheduler.loop import Scheduler
from kecs_server.settings import ENGINES
from kecs_server.settings import ServerSettings
from kecs_server.state.realm import Realm
from kecs_server.state.realms import RealmRequest
from kecs_server.state.realms import Realms
from kecs_server.traffic.balancers import Balancers

RELAY_ENDPOINT = f"http://{AGENT_ADDRESS}"
"""The agent's address in a container on a kind node (see `engines.kubernetes.relay`)."""

LOG_THREADS = 4
"""Containers whose lines are sent to CloudWatch Logs at the same time."""

REMOVAL_TIMEOUT = 5.0
"""Seconds that the end of a realm waits for its processes to be gone."""


class Environment:
    """Everything behind the two HTTP surfaces.

    :param endpoint: this server's own URL.
    :param relay: serves containers at another address of this machine and returns the port;
        None: only those that reach `endpoint` are served.
    :raises ValueError: the settings' image table or `netns_reach` cannot be read.
    """

    def __init__(
        self, settings: ServerSettings, endpoint: str, relay: Callable[[str], int] | None = None
    ) -> None:
        self.settings = settings
        self.endpoint = endpoint
        self._relay = relay
        self._relay_port: int | None = None
        self._reach = tuple(map(parse_place, settings.netns_reach))
        self._images = parse_images(settings.images)
        self.engines: Mapping[str, EngineHost] = {
            name: EngineHost(partial(self._make_engine, name), self._observe) for name in ENGINES
        }
        self.network = Network(lambda name: self.engines[name].engine)
        self._lock = threading.Lock()
        self._seen_hosts: dict[str, Hosts] = {}
        self._endpoints_by_url: dict[str, Endpoints] = {}
        self._sender = Sender()
        self._log_pool = Pool("awslogs", LOG_THREADS)
        self._router_pool = Pool("awsfirelens", LOG_THREADS)
        self._fetcher = Fetcher(self._observe)
        self._hooks = HookCaller(lambda realm: self._endpoints(realm.aws_endpoint))
        self.cloud_map = CloudMap(lambda realm: self._endpoints(realm.aws_endpoint))
        self.balancers = Balancers(self.network, self._observe)
        self.scheduler = Scheduler(
            self.engines,
            self.network,
            self._spec_of,
            self._fetch,
            self._hooks.call,
            self.balancers.check,
        )
        self.realms = Realms(settings.secret, self._make_realm, self._end_realm)

    def start(self) -> None:
        self.scheduler.start()
        if self.settings.engine == "process":
            # Its supervisor starts in a moment; the first task need not wait for that.
            self.engines["process"].prepare()

    def close(self) -> None:
        """Remove every task and whatever the engines made."""
        self.scheduler.stop()
        self.balancers.close()
        self._fetcher.close()
        self._hooks.close()
        for realm in self.realms.all():
            self.cloud_map.end(realm)
        self.cloud_map.close()
        self._sender.close()
        self._log_pool.close()
        self._router_pool.close()
        for realm in self.realms.all():
            realm.end()
        for engine in self.engines.values():
            engine.close()
        self.network.close()

    def _observe(self, observation: Observation) -> None:
        self.scheduler.observe(observation)

    def _make_realm(self, request: RealmRequest) -> Realm:
        realm = Realm(
            id=uuid.uuid4().hex,
            name=request.name,
            engine=request.engine or self.settings.engine,
            aws_endpoint=request.aws_endpoint or self.settings.aws_endpoint,
            netns=self.settings.netns if request.netns is None else request.netns,
            manual_clock=request.manual_clock,
            # The realm's own patterns are tried first.
            images={**request.images, **self._images},
            wake=self.scheduler.wake,
            hosts=partial(self._hosts, request.engine or self.settings.engine),
            endpoint=self.endpoint,
        )
        realm.watchers.append(self.balancers)
        host = self.engines[realm.engine]
        connect = self.network.connect
        realm.watchers.append(
            Firelens(self._router_pool, connect, lambda: host.engine, self._observe)
        )
        endpoints = self._endpoints(realm.aws_endpoint)
        sinks: list[Sink] = [realm.events.add]
        realm.watchers.append(Recorder(sinks))
        if endpoints is not None:
            sinks.append(self._sender.to(endpoints))
            realm.watchers.append(Alarms(endpoints))
            realm.watchers.append(self.cloud_map)
            realm.watchers.append(Logs(self._log_pool, endpoints, lambda: host.engine))
        return realm

    def _end_realm(self, realm: Realm) -> None:
        gone = self.scheduler.end(realm)
        self.balancers.end(realm)
        self.cloud_map.end(realm)
        if realm.engine == "process":
            # The next test may need the ports; a Pod has its own.
            gone.wait(REMOVAL_TIMEOUT)

    def _fetch(self, realm: Realm, task: Task) -> None:
        self._fetcher.fetch(realm, task, self._endpoints(realm.aws_endpoint))

    def _hosts(self, name: str) -> Sequence[Host]:
        """Of the engine. Of one that is not open yet: a kind cluster's node has what this machine
        has, another cluster's are not known.
        """
        engine = self.engines[name].engine
        if name in self._seen_hosts:
            return self._seen_hosts[name].usable or (UNKNOWN_HOST,)
        if engine is not None:
            return engine.hosts()
        return (UNKNOWN_HOST if name == "kubernetes" else this_machine(),)

    def _hosts_seen(self, name: str, after: Hosts) -> None:
        """An engine's machines came or went. Realms that ask from now on are given these."""
        before = Hosts(usable=tuple(self._hosts(name)))
        self._seen_hosts[name] = after
        for realm in self.realms.all():
            if realm.engine == name:
                realm.hosts_changed(before, after)

    def _endpoints(self, url: str | None) -> Endpoints | None:
        if url is None:
            return None
        with self._lock:
            return self._endpoints_by_url.setdefault(url, Endpoints(url))

    def _spec_of(self, realm: Realm, task: Task) -> TaskSpec:
        arn = parse_arn(task.arn)
        names = {"python": self.settings.interpreter, "rootdir": self.settings.rootdir}
        found = names_of(realm, task, self.network.connect)
        network = self.network.attach(task, realm.engine, is_own=realm.isolates(task), names=found)
        spec = task_spec(
            task,
            Surroundings(
                realm=realm.id,
                region=arn.region if arn else self.settings.region,
                endpoint=self._container_endpoint(realm.engine),
                aws_endpoint=realm.aws_endpoint,
                images=realm.images,
                names=names,
                network=network,
                agent_port=self._agent_port() if network.is_own else None,
                reach=self._reach,
                services=[name.named for name in found],
                mark=mark_of(realm.id, task.service_arn) if task.service_arn else "",
            ),
        )
        if spec.own_network is not None:
            self.network.lead_out(task.id, spec.own_network.ways_out)
        return spec

    def _agent_port(self) -> int | None:
        """Where tasks with networks of their own are led when they ask their agent."""
        if self._relay is not None and self._relay_port is None:
            self._relay_port = self._relay(LOCALHOST)
        return self._relay_port

    def _container_endpoint(self, engine: str) -> str | None:
        """Where containers reach this server; None where they cannot."""
        return {"process": self.endpoint, "kind": RELAY_ENDPOINT}.get(engine)

    def _make_engine(self, name: str) -> Engine:
        directory = Path(self.settings.directory)
        if name == "process":
            from kecs_server.engines.process.engine import ProcessEngine

            return ProcessEngine(
                environment_name=self.settings.name,
                directory=directory,
                interpreter=self.settings.interpreter,
                rootdir=self.settings.rootdir,
                pid1=self.settings.pid1,
                netns=self.settings.netns,
                cgroup=self.settings.cgroup,
            )
        # Only here is the kubernetes client imported: it costs a process engine's run nothing.
        from kecs_server.engines.kubernetes import clusters
        from kecs_server.engines.kubernetes.engine import KubernetesEngine

        cluster: clusters.Cluster = clusters.KindCluster(image=self.settings.kind_image)
        if name == "kubernetes":
            kubeconfig = self.settings.kubeconfig
            cluster = clusters.KubeconfigCluster(
                kubeconfig=Path(kubeconfig) if kubeconfig else None,
                context=self.settings.context,
                namespace=self.settings.namespace,
            )
        return KubernetesEngine(
            environment_name=self.settings.name,
            directory=directory,
            cluster=cluster,
            tell_hosts=partial(self._hosts_seen, name),
            relay=self._relay,
        )
