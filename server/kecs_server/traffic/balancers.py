"""The load balancers of an environment: one thread with an event loop, and a few that connect.

The records say which targets there are and what share each group has (`Balancers` is a watcher of
every realm); what becomes of health checks and of the last request comes back as observations.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator
from collections.abc import Callable
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import Any
from typing import TypeVar

from kecs_server.aws.pool import Pool
from kecs_server.domain.instance import ContainerInstance
from kecs_server.domain.service import Service
from kecs_server.domain.target import DRAINING
from kecs_server.domain.target import GONE
from kecs_server.domain.target import TCP
from kecs_server.domain.target import UNUSED
from kecs_server.domain.target import Target
from kecs_server.domain.target import TargetGroup
from kecs_server.domain.task import Task
from kecs_server.engines.base import Observer
from kecs_server.network.forwarding import Side
from kecs_server.network.forwarding import exchange
from kecs_server.network.forwarding import reset
from kecs_server.network.host_ports import HOST
from kecs_server.network.network import Network
from kecs_server.scheduler.targets import TargetChecked
from kecs_server.scheduler.targets import TargetIdle
from kecs_server.state.realm import Realm
from kecs_server.traffic.checks import problem_of
from kecs_server.traffic.listening import TEST
from kecs_server.traffic.listening import Name
from kecs_server.traffic.listening import Plan
from kecs_server.traffic.listening import listeners_of
from kecs_server.traffic.routes import Backend
from kecs_server.traffic.routes import Connect
from kecs_server.traffic.routes import Connected
from kecs_server.traffic.routes import Key
from kecs_server.traffic.routes import Router

CHECKS_AT_ONCE = 16
CONNECTS_AT_ONCE = 32

_END = 5.0
"""Seconds that the loop may take to open or close something; it never waits for a peer."""

Result = TypeVar("Result")

_log = logging.getLogger(__name__)


class Listener:
    """Where requests to a target group, and those that share its traffic, come in."""

    def __init__(self, name: Name, group: TargetGroup) -> None:
        self.name = name
        self.group = group
        self.router = Router()
        self.server: asyncio.Server | None = None
        self.port = 0
        self.connections: set[asyncio.Task[None]] = set()


class _Realm:
    """What the loop knows of a realm: its targets, by task and key, and its listeners."""

    def __init__(self) -> None:
        self.backends: dict[tuple[str, Key], Backend] = {}
        self.plans: dict[str, Plan] = {}
        self.listeners: dict[Name, Listener] = {}


class Balancers:
    """Thread-safe. A watcher of realms (see `state.realm`)."""

    def __init__(self, network: Network, observe: Observer) -> None:
        self._network = network
        self._observe = observe
        self._lock = threading.Lock()
        self._checks = Pool("target-checks", CHECKS_AT_ONCE)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._pool = ThreadPoolExecutor(CONNECTS_AT_ONCE, thread_name_prefix="target-connect")
        self._told: dict[Realm, dict[str, Plan]] = {}
        """The plans of services, by their ARNs, as the loop knows them."""
        self._realms: dict[Realm, _Realm] = {}
        self._closed = False

    def task_changed(self, realm: Realm, task: Task) -> None:
        for target in task.targets:
            if target.state != UNUSED:
                backend = Backend(
                    task_id=task.id,
                    key=target.key,
                    revision=target.revision,
                    connect=partial(self._network.connect, task.id, target.container, target.port),
                    is_near=realm.engine == "process" and not realm.isolates(task),
                )
                self._post(partial(self._see_target, realm, backend, target.state))

    def service_changed(self, realm: Realm, service: Service) -> None:
        plan = listeners_of(service)
        with self._lock:
            told = self._told.setdefault(realm, {})
            is_news = plan != told.get(service.arn, Plan())
            told[service.arn] = plan
        if is_news:
            self._post(partial(self._see_plan, realm, service.arn, plan))

    def instance_changed(self, realm: Realm, instance: ContainerInstance) -> None:
        pass

    def check(self, realm: Realm, task: Task, target: Target) -> None:
        """Make a health check; ends in an observation."""
        connect = partial(self._network.connect, task.id, target.container, target.port)
        settings = target.group.check

        def work() -> None:
            problem = problem_of(connect, settings)
            self._observe(TargetChecked(task_id=task.id, key=target.key, problem=problem))

        self._checks.submit(work)

    def open(self, realm: Realm, arn: str, *, test: bool) -> Listener:
        """The listener that a target group or listener rule leads to; it listens from now on.

        :raises LookupError: no service of the realm names it.
        """
        return self._run(self._open(realm, arn, test))

    def forget(self, realm: Realm, tasks: list[Task]) -> None:
        """Tasks that were dropped from the realm are no targets any more."""
        ids = {task.id for task in tasks}
        if any(task.targets for task in tasks):
            self._post(partial(self._forget, realm, ids))

    def end(self, realm: Realm) -> None:
        """Close the listeners of a realm, and break off what they carry."""
        with self._lock:
            is_used = self._loop is not None and not self._closed
            self._told.pop(realm, None)
        if is_used:
            self._run(self._end(realm))

    def close(self) -> None:
        with self._lock:
            self._closed, loop, thread = True, self._loop, self._thread
        self._checks.close()
        if loop is not None and thread is not None:
            asyncio.run_coroutine_threadsafe(self._end_all(), loop).result(_END)
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _begun(self) -> asyncio.AbstractEventLoop | None:
        """The loop, whose thread is started when there is something to balance first."""
        with self._lock:
            if self._loop is None and not self._closed:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=self._loop.run_forever, name="load-balancers", daemon=True
                )
                self._thread.start()
            return None if self._closed else self._loop

    def _post(self, work: Callable[[], None]) -> None:
        loop = self._begun()
        if loop is not None:
            loop.call_soon_threadsafe(work)

    def _run(self, work: Coroutine[Any, Any, Result]) -> Result:
        loop = self._begun()
        if loop is None:
            work.close()
            raise LookupError("the environment has ended")
        return asyncio.run_coroutine_threadsafe(work, loop).result(_END)

    # From here on all is done by the loop's thread.

    def _of(self, realm: Realm) -> _Realm:
        return self._realms.setdefault(realm, _Realm())

    def _see_target(self, realm: Realm, seen: Backend, state: str) -> None:
        if realm.ended:
            return
        backends = self._of(realm).backends
        name = (seen.task_id, seen.key)
        if state == GONE:
            _let_go(backends.pop(name, seen))
            return
        backend = backends.setdefault(name, seen)
        was_draining, backend.state = backend.state == DRAINING, state
        if not was_draining:
            self._tell_if_drained(backend)

    def _tell_if_drained(self, backend: Backend) -> None:
        if backend.is_drained:
            self._observe(TargetIdle(task_id=backend.task_id, key=backend.key))

    def _see_plan(self, realm: Realm, service: str, plan: Plan) -> None:
        if realm.ended:
            return
        known = self._of(realm)
        known.plans[service] = plan
        for listener in known.listeners.values():
            self._weigh(known, listener)

    def _weigh(self, known: _Realm, listener: Listener) -> None:
        """Services that share a target group share its traffic."""
        total: dict[str, float] = {}
        for plan in known.plans.values():
            for group, weight in plan.weights.get(listener.name, {}).items():
                total[group] = total.get(group, 0.0) + weight
        listener.router.weigh(total)

    def _forget(self, realm: Realm, ids: set[str]) -> None:
        backends = self._of(realm).backends
        for name in [name for name in backends if name[0] in ids]:
            _let_go(backends.pop(name))

    async def _open(self, realm: Realm, arn: str, test: bool) -> Listener:  # noqa: FBT001
        known = self._of(realm)
        name = next((plan.names[arn] for plan in known.plans.values() if arn in plan.names), None)
        if name is None or realm.ended:
            raise LookupError(f"no service has the target group or listener rule {arn}")
        if test:
            name = (name[0], TEST)
        if name not in known.listeners:
            listener = Listener(name, _group(realm, name[0]))
            listener.server = await asyncio.start_server(
                partial(self._serve, known, listener), HOST, 0
            )
            listener.port = listener.server.sockets[0].getsockname()[1]
            known.listeners[name] = listener
            self._weigh(known, listener)
        return known.listeners[name]

    async def _serve(
        self,
        known: _Realm,
        listener: Listener,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        connection = asyncio.current_task()
        assert connection is not None
        listener.connections.add(connection)
        try:
            connect = partial(self._connected, known, listener)
            if listener.group.protocol == TCP:
                await _carry((reader, writer), connect)
            else:
                # Only here: a run without load balancers need not load h11.
                from kecs_server.traffic.http import serve

                await serve((reader, writer), connect)
            writer.close()
        except OSError as error:
            _log.info(
                "a connection to the load balancer at port %d broke: %s", listener.port, error
            )
            reset(writer)
        except asyncio.CancelledError:
            reset(writer)
        except Exception:
            _log.exception("the load balancer at port %d failed", listener.port)
            reset(writer)
        finally:
            listener.connections.discard(connection)

    @asynccontextmanager
    async def _connected(
        self, known: _Realm, listener: Listener
    ) -> AsyncIterator[Connected | None]:
        """A connection to the target whose turn it is, or to another of its group if it accepts
        none; nothing was sent to it then.

        :raises ConnectionRefusedError: none of them accepts one.
        """
        router, group = listener.router, listener.router.choose_group()
        tried: set[Backend] = set()
        while True:
            candidates = [each for each in known.backends.values() if each.group == group]
            backend = router.choose(candidates, tried)
            if backend is None:
                if tried:
                    raise ConnectionRefusedError(f"none of {len(tried)} targets")
                yield None
                return
            backend.under_way += 1
            try:
                try:
                    reader, writer = await self._reach(backend)
                except OSError:
                    tried.add(backend)
                    continue
                try:
                    router.count(backend)
                    yield backend, (reader, writer)
                    return
                finally:
                    writer.close()
            finally:
                backend.under_way -= 1
                self._tell_if_drained(backend)

    async def _reach(self, backend: Backend) -> Side:
        """A connection to the target. To find out where it listens takes longer than to connect;
        whether it still is who listens there, its health checks see.

        :raises OSError: it accepts none.
        """
        if backend.address is not None:
            return await asyncio.open_connection(*backend.address)
        loop = asyncio.get_running_loop()
        far = await loop.run_in_executor(self._pool, backend.connect)
        if backend.is_near:
            backend.address = far.getpeername()[:2]
        return await asyncio.open_connection(sock=far)

    async def _end(self, realm: Realm) -> None:
        known = self._realms.pop(realm, _Realm())
        for listener in known.listeners.values():
            if listener.server is not None:
                listener.server.close()
            for connection in listener.connections:
                connection.cancel()
            await asyncio.gather(*listener.connections, return_exceptions=True)

    async def _end_all(self) -> None:
        for realm in list(self._realms):
            await self._end(realm)


async def _carry(near: Side, connect: Connect) -> None:
    """Forward a connection as it is.

    :raises OSError: one of the two broke, or there is no target.
    """
    async with connect() as connected:
        if connected is None:
            raise ConnectionRefusedError("there is no target")
        backend, far = connected
        await exchange(backend.gone, near, far)


def _let_go(backend: Backend) -> None:
    backend.state = GONE
    backend.gone.set()


def _group(realm: Realm, arn: str) -> TargetGroup:
    with realm.reading():
        return realm.target_group(arn)
