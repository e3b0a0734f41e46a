"""The verbs of the Kubernetes API that the engine needs. The only module that imports
`kubernetes`, and only when a cluster is really spoken to.

Answers are raw JSON: building typed objects costs 5 to 13 times as much.
"""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Any

from kecs_server.engines.base import EngineError
from kecs_server.engines.kubernetes.api_errors import ApiError
from kecs_server.engines.kubernetes.api_errors import no_answer
from kecs_server.engines.kubernetes.api_errors import refusal
from kecs_server.engines.kubernetes.port_forward import forward
from kecs_server.engines.kubernetes.streams import Json
from kecs_server.engines.kubernetes.streams import RunningCommand
from kecs_server.engines.kubernetes.streams import Stream
from kecs_server.engines.kubernetes.streams import Watch

_log = logging.getLogger(__name__)

CONNECT_SECONDS = 5.0
_ANSWER_SECONDS = 30.0
WATCH_SECONDS = 60
"""How long one watch request lives; a connection that silently died is noticed after that."""

_FOLLOW_SECONDS = 24 * 3600.0
"""A container may be silent for long; the client does not take None for ever."""

_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """A verb on a resource, as a Role grants it."""

    verb: str
    resource: str
    subresource: str = ""
    group: str = ""

    def __str__(self) -> str:
        resource = f"{self.resource}/{self.subresource}" if self.subresource else self.resource
        return f"{self.verb} {resource}"


class ClusterApi:
    """One cluster. Thread-safe.

    Calls are repeated while the API server cannot be reached, up to `patience` seconds, so they
    are made such that a second one does no harm. `close` ends calls that wait.
    """

    def __init__(self, client: Any, *, patience: float) -> None:
        from kubernetes.client import AuthorizationV1Api
        from kubernetes.client import CoordinationV1Api
        from kubernetes.client import CoreV1Api
        from kubernetes.client import VersionApi

        self._client = client
        self._authorization = AuthorizationV1Api(client)
        self._core = CoreV1Api(client)
        self._coordination = CoordinationV1Api(client)
        self._version = VersionApi(client)
        self._patience = patience
        self._closed = Event()
        self.host = str(client.configuration.host)

    def server_version(self) -> str:
        """:raises ApiError: at once, when the cluster does not answer."""
        return str(self._ask(0, self._version.get_code, read_timeout=10.0)["gitVersion"])

    def is_allowed(self, namespace: str, right: Right) -> bool:
        """Whether we may do this in a namespace, which need not exist."""
        attributes = {
            "namespace": namespace,
            "verb": right.verb,
            "group": right.group,
            "resource": right.resource,
            "subresource": right.subresource,
        }
        review = {"spec": {"resourceAttributes": attributes}}
        answer = self._ask(0, self._authorization.create_self_subject_access_review, review)
        return bool(answer["status"]["allowed"])

    def create_namespace(self, name: str, labels: Mapping[str, str]) -> None:
        body = {"metadata": {"name": name, "labels": dict(labels)}}
        self._create(self._core.create_namespace, body)

    def namespace_exists(self, name: str) -> bool:
        """Also True while it is being deleted."""
        try:
            self._ask(self._patience, self._core.read_namespace, name)
        except ApiError as error:
            if error.status == 404:
                return False
            raise
        return True

    def list_namespaces(self, selector: str) -> list[Json]:
        return self._list(self._core.list_namespace, label_selector=selector)

    def node_names(self) -> list[str]:
        return [node["metadata"]["name"] for node in self.nodes()]

    def nodes(self) -> list[Json]:
        return self._list(self._core.list_node)

    def list_nodes(self) -> tuple[list[Json], str]:
        """The nodes, and the version from which `watch_nodes` goes on."""
        listed = self._ask(0, self._core.list_node)
        return listed["items"], listed["metadata"]["resourceVersion"]

    def watch_nodes(self, version: str) -> Watch:
        """As `watch_pods`."""
        return self._watch(self._core.list_node, version=version)

    def delete_namespace(self, name: str) -> None:
        self._delete(self._core.delete_namespace, name)

    def create_pod(self, namespace: str, manifest: Json) -> None:
        self._create(self._core.create_namespaced_pod, namespace, manifest)

    def check_pod(self, namespace: str, manifest: Json) -> None:
        """Have the API server check all that `create_pod` needs, and create nothing."""
        self._ask(0, self._core.create_namespaced_pod, namespace, manifest, dry_run="All")

    def create_secret(self, namespace: str, manifest: Json) -> None:
        self._create(self._core.create_namespaced_secret, namespace, manifest)

    def delete_secret(self, namespace: str, name: str, *, patience: float | None = None) -> None:
        """No error if it is gone already. `patience` as for `delete_pod`."""
        self._delete(self._core.delete_namespaced_secret, name, namespace, patience=patience)

    def delete_secrets(self, namespace: str, selector: str) -> None:
        """All that are selected, without reading them."""
        delete = self._core.delete_collection_namespaced_secret
        self._delete(delete, namespace, label_selector=selector)

    def create_service(self, namespace: str, manifest: Json) -> str:
        """The address that it has in the cluster."""
        create, read = self._core.create_namespaced_service, self._core.read_namespaced_service
        try:
            made = self._ask(self._patience, create, namespace, manifest)
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise
            # By an attempt whose answer got lost.
            made = self._ask(self._patience, read, manifest["metadata"]["name"], namespace)
        return str(made["spec"]["clusterIP"])

    def list_services(self, namespace: str, selector: str) -> list[Json]:
        return self._list(self._core.list_namespaced_service, namespace, label_selector=selector)

    def delete_service(self, namespace: str, name: str, *, patience: float | None = None) -> None:
        """No error if it is gone already. `patience` as for `delete_pod`."""
        self._delete(self._core.delete_namespaced_service, name, namespace, patience=patience)

    def patch_pod(self, namespace: str, name: str, patch: Sequence[Json]) -> None:
        """:param patch: JSON patch (RFC 6902)."""
        self._ask(self._patience, self._core.patch_namespaced_pod, name, namespace, list(patch))

    def delete_pod(
        self, namespace: str, name: str, grace: int, *, patience: float | None = None
    ) -> None:
        """Ask for the end of a Pod; with grace 0 the object is gone at once. No error if it is
        gone already.

        :param patience: None: as for all calls.
        """
        delete = self._core.delete_namespaced_pod
        self._delete(delete, name, namespace, grace_period_seconds=grace, patience=patience)

    def list_pods(self, namespace: str, selector: str) -> tuple[list[Json], str]:
        """The Pods, and the version from which `watch_pods` goes on."""
        listed = self._ask(0, self._core.list_namespaced_pod, namespace, label_selector=selector)
        return listed["items"], listed["metadata"]["resourceVersion"]

    def watch_pods(self, namespace: str, selector: str, version: str) -> Watch:
        """Changes from `version` on.

        :raises ApiError: 410 when the server has forgotten that version: list again.
        """
        return self._watch(
            self._core.list_namespaced_pod, namespace, version=version, label_selector=selector
        )

    def follow_log(self, namespace: str, pod: str, container: str) -> Stream:
        """What a container wrote, both streams merged, from the start until it ends; each line
        after its time.
        """
        response = self._open(
            self._core.read_namespaced_pod_log,
            pod,
            namespace,
            container=container,
            follow=True,
            timestamps=True,
            read_timeout=_FOLLOW_SECONDS,
        )
        return Stream(response)

    def node_summary(self, node: str) -> Json:
        """What kubelet counts on the node, by Pod and container."""
        proxy = self._core.connect_get_node_proxy_with_path
        return self._ask(0, proxy, node, "stats/summary")

    def execute(
        self, namespace: str, pod: str, container: str, command: Sequence[str]
    ) -> RunningCommand:
        """Begin a command in a running container.

        :raises ApiError: it could not be asked for. A command that cannot run ends at once.
        """
        websocket = self._connect(
            "connect_get_namespaced_pod_exec",
            pod,
            namespace,
            container=container,
            command=list(command),
            stdin=False,
            stdout=True,
            stderr=True,
            tty=False,
        )
        return RunningCommand(websocket)

    def forward_port(self, namespace: str, pod: str, port: int) -> socket.socket:
        """A connection to a port of a Pod, one that is Pending too. It is made whether somebody
        listens there or not; if not, it ends at once.

        :raises ApiError: it could not be asked for.
        """
        verb = "connect_get_namespaced_pod_portforward"
        return forward(self._connect(verb, pod, namespace, ports=str(port)))

    def put_lease(self, namespace: str, name: str, lease: Json) -> None:
        """Create a Lease, or take over its spec when it is there."""
        body = {"metadata": {"name": name, **lease["metadata"]}, "spec": lease["spec"]}
        create = self._coordination.create_namespaced_lease
        patch = self._coordination.patch_namespaced_lease
        try:
            self._ask(self._patience, patch, name, namespace, {"spec": lease["spec"]})
        except ApiError as error:
            if error.status != 404:
                raise
            self._create(create, namespace, body)

    def list_leases(self, namespace: str, selector: str) -> list[Json]:
        lister = self._coordination.list_namespaced_lease
        return self._list(lister, namespace, label_selector=selector)

    def delete_lease(self, namespace: str, name: str) -> None:
        self._delete(self._coordination.delete_namespaced_lease, name, namespace)

    def close(self) -> None:
        """End calls that wait for the API server to come back; no calls after this."""
        self._closed.set()
        self._client.rest_client.pool_manager.clear()

    def _create(self, verb: Callable[..., Any], *arguments: Any) -> None:
        """All names that the engine creates are its own: one that is there already was made by
        the attempt before, whose answer got lost.
        """
        try:
            self._ask(self._patience, verb, *arguments)
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise

    def _delete(
        self,
        verb: Callable[..., Any],
        *arguments: Any,
        patience: float | None = None,
        **options: Any,
    ) -> None:
        try:
            self._ask(self._patience if patience is None else patience, verb, *arguments, **options)
        except ApiError as error:
            if error.status != 404:
                raise

    def _list(self, verb: Callable[..., Any], *arguments: Any, **options: Any) -> list[Json]:
        items: list[Json] = self._ask(self._patience, verb, *arguments, **options)["items"]
        return items

    def _connect(self, verb: str, *arguments: Any, **options: Any) -> Any:
        """A websocket. The library changes a client while it connects with it: so each has its own.

        :raises ApiError: refused, or no answer.
        """
        from kubernetes.client import ApiClient
        from kubernetes.client import ApiException
        from kubernetes.client import CoreV1Api
        from kubernetes.stream import stream

        core = CoreV1Api(ApiClient(self._client.configuration))
        try:
            client = stream(
                getattr(core, verb), *arguments, _preload_content=False, binary=True, **options
            )
        except ApiException as error:
            raise refusal(error, self.host) from None
        return client.sock

    def _ask(
        self, patience: float, verb: Callable[..., Any], *arguments: Any, **options: Any
    ) -> Json:
        deadline, pause = monotonic() + patience, _FIRST_PAUSE
        while True:
            try:
                response = self._open(verb, *arguments, **options)
                answer: Json = json.loads(_read(response))
                return answer
            except ApiError as error:
                if not error.is_transient or monotonic() + pause > deadline:
                    raise
                _log.info("Asking again: %s", error)
            if self._closed.wait(pause):
                raise ApiError(status=0, reason="Closed", message="the engine is closing")
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _watch(
        self, verb: Callable[..., Any], *arguments: Any, version: str, **options: Any
    ) -> Watch:
        response = self._open(
            verb,
            *arguments,
            resource_version=version,
            watch=True,
            allow_watch_bookmarks=True,
            timeout_seconds=WATCH_SECONDS,
            read_timeout=WATCH_SECONDS + 15.0,
            **options,
        )
        return Watch(response)

    def _open(
        self,
        verb: Callable[..., Any],
        *arguments: Any,
        read_timeout: float = _ANSWER_SECONDS,
        **options: Any,
    ) -> Any:
        from kubernetes.client import ApiException
        from urllib3.exceptions import HTTPError

        timeout = (CONNECT_SECONDS, read_timeout)
        try:
            return verb(*arguments, _preload_content=False, _request_timeout=timeout, **options)
        except ApiException as error:
            raise refusal(error, self.host) from None
        except (HTTPError, HTTPException, OSError) as error:
            raise no_answer(error, self.host) from None


def connect(kubeconfig: Path | None, context: str | None, *, patience: float = 60.0) -> ClusterApi:
    """Read a kubeconfig; nothing is sent yet.

    :param kubeconfig: None: `$KUBECONFIG`, else `~/.kube/config`, as kubectl does.
    :param patience: seconds for which calls are repeated while the server is away.
    :raises EngineError: no such file or context, or nothing usable in it.
    """
    import websocket
    from kubernetes import config
    from kubernetes.client import ApiClient
    from kubernetes.client import Configuration
    from kubernetes.config import ConfigException
    from yaml import YAMLError  # type: ignore[import-untyped]

    # Of connections that have no timeout of their own.
    websocket.setdefaulttimeout(_ANSWER_SECONDS)
    where = str(kubeconfig) if kubeconfig is not None else "$KUBECONFIG or ~/.kube/config"
    if kubeconfig is not None and kubeconfig.is_dir():
        raise EngineError(f"{kubeconfig} is a folder, not a kubeconfig file.")
    if kubeconfig is not None and not kubeconfig.is_file():
        raise EngineError(f"There is no kubeconfig file {kubeconfig}.")
    configuration = Configuration()
    load: Any = config.load_kube_config
    # urllib3 would try four times at once, each as long as the connect timeout.
    configuration.retries = False
    configuration.connection_pool_maxsize = 64
    try:
        load(
            config_file=None if kubeconfig is None else str(kubeconfig),
            context=context,
            client_configuration=configuration,
            persist_config=False,
        )
    except (YAMLError, UnicodeDecodeError, TypeError, AttributeError):
        # The client expects mappings and lists, and says of other texts what befell it.
        raise EngineError(f"{where} is not a kubeconfig.") from None
    except (ConfigException, OSError, KeyError, ValueError) as error:
        wanted = "its current context" if context is None else f"the context {context!r}"
        raise EngineError(f"The kubeconfig {where} cannot be used with {wanted}: {error}") from None
    return ClusterApi(ApiClient(configuration), patience=patience)


def _read(response: Any) -> bytes:
    from urllib3.exceptions import HTTPError

    try:
        return bytes(response.data)
    except (HTTPError, HTTPException, OSError) as error:
        raise no_answer(error, "the API server") from None
    finally:
        response.release_conn()
