"""Calls of a running environment's `/_kecs` interface."""

from __future__ import annotations

import base64
import http.client
import json
import os
import threading
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import fields
from types import TracebackType
from typing import Any
from typing import Literal
from typing import Self
from typing import TypeVar
from urllib.parse import urlencode
from urllib.parse import urlsplit

from kecs_server.credentials import Credentials

from pytest_kecs.errors import AdminError
from pytest_kecs.errors import InvalidSetting
from pytest_kecs.errors import ServerGone
from pytest_kecs.events import EventPage
from pytest_kecs.events import event_page
from pytest_kecs.logs import LogLine
from pytest_kecs.logs import LogPage
from pytest_kecs.logs import TextPage
from pytest_kecs.logs import TextPart

__tracebackhide__ = True  # as in `kecs`

# A server that is only just starting answers its first call after a second or so; ending a realm
# waits for its tasks.
ANSWER_SECONDS = 60.0

Answer = TypeVar("Answer", "EngineState", "Health", "Waited", "Reached")


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineState:
    """How far an engine is. `seconds`: how long it has been in its present phase or state."""

    state: Literal["idle", "starting", "ready", "failed"]
    phase: str = ""
    seconds: float = 0.0
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What a server says of itself. `lease`: seconds left, None without a lease."""

    name: str
    version: str
    pid: int
    engine: str
    engines: Mapping[str, EngineState]
    lease: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Waited:
    """The end of a wait: the realm's version, and the deadline on the server's own clock."""

    version: int
    deadline: float
    timed_out: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """Where a container's port is reached; else why it is not, and whether time was up."""

    host: str
    port: int
    why: str
    timed_out: bool


class AdminClient:
    """One access key's view of an environment.

    Each thread has a connection of its own, which is kept. Every call has a time limit, kept by the
    operating system: it holds when a test has frozen Python's clocks. Proxies are not used.

    All methods raise `AdminError` when the server refuses and `ServerGone` when it is not there.
    """

    def __init__(self, endpoint: str, credentials: Credentials) -> None:
        """:raises InvalidSetting: `endpoint` is not an `http://host:port` address."""
        self.endpoint = endpoint
        self.credentials = credentials
        self._address = _address(endpoint)
        user = f"{credentials.access_key}:{credentials.secret_key}"
        self._headers = {
            "Authorization": "Basic " + base64.b64encode(user.encode()).decode(),
            "Content-Type": "application/json",
        }
        self._longest_wait = 0.0
        self._lock = threading.Lock()
        # By process as well: a forked child must not talk on its parent's connection.
        self._connections: dict[tuple[int, int], http.client.HTTPConnection] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections of all threads. The client may be used again."""
        with self._lock:
            connections = list(self._connections.values())
            self._connections.clear()
        for connection in connections:
            connection.close()

    def health(self) -> Health:
        answer = self._call("GET", "/health")
        engines = answer.get("engines", {}).items()
        answer["engines"] = {name: _read(EngineState, state) for name, state in engines}
        return _read(Health, answer)

    def prepare(
        self, engine: str | None = None, *, wait: float = 0.0, phase: str | None = None
    ) -> EngineState:
        """Have an engine start (None: the environment's own) and see how far it is.

        Returns when it is ready or has failed, when its phase is no longer `phase`, or after `wait`
        seconds.
        """
        body = {"engine": engine, "wait": wait, "phase": phase}
        return _read(EngineState, self._call("POST", "/prepare", body, held=wait))

    def begin_realm(
        self,
        name: str,
        *,
        account: str | None = None,
        engine: str | None = None,
        aws_endpoint: str | None = None,
        netns: bool | None = None,
        clock: str | None = None,
        images: Mapping[str, Any] | None = None,
    ) -> str:
        """Let the key stand for a fresh realm; returns the realm's id."""
        body = {
            "name": name,
            "account": account,
            "engine": engine,
            "aws_endpoint": aws_endpoint,
            "netns": netns,
            "clock": clock,
            "images": dict(images or {}),
        }
        return str(self._call("POST", "/realms", body)["realm"])

    def end_realm(self, *, keep: bool = False) -> Credentials | None:
        """End the key's realm, its tasks too; the key stands for its base realm again.

        :param keep: leave the realm and its tasks running; the returned key opens it from then on.
        """
        answer = self._call("POST", "/realms/end", {"keep": keep})
        return _credentials(answer) if answer else None

    def new_key(self, account: str) -> Credentials:
        """Another key for the key's realm, in which `account` is its own account."""
        return _credentials(self._call("POST", "/keys", {"account": account}))

    def wait(
        self,
        since: int,
        *,
        timeout: float | None = None,
        deadline: float | None = None,
        at_most: float | None = None,
    ) -> Waited:
        """Wait until the realm's version is above `since`, or the time is over.

        :param timeout: seconds from now.
        :param deadline: instead, as an earlier call of the same wait returned it.
        :param at_most: seconds after which to return though the time is not over.
        """
        body: dict[str, float] = {"since": since}
        if at_most is not None:
            body["at_most"] = at_most
        if deadline is not None:
            body["deadline"] = deadline
        elif timeout is not None:
            body["timeout"] = timeout
            self._longest_wait = max(self._longest_wait, timeout)
        # What a deadline of the server's clock means here is not known, but it came from a timeout.
        held = self._longest_wait if timeout is None else timeout
        return _read(Waited, self._call("POST", "/wait", body, held=held))

    def read_logs(
        self,
        task: str,
        container: str | None = None,
        *,
        stream: str | None = None,
        since: float | None = None,
        ago: float | None = None,
        tail: int | None = None,
        cursor: str | None = None,
        wait: float | None = None,
    ) -> LogPage:
        """The next lines that the containers of `task` (ARN or id) wrote, in the order of time.

        :param since: only what was written at this moment (epoch seconds) or later; `ago`: seconds
            before now instead.
        :param tail: only the last lines of each container.
        :param cursor: go on from an earlier page, the other parameters as they were.
        :param wait: seconds to wait when there is nothing new; None: what there is now, no more.
        """
        query = {
            "task": task,
            "container": container,
            "stream": stream,
            "since": since,
            "ago": ago,
            "tail": tail,
            "cursor": cursor,
            "wait": wait,
        }
        given = {name: value for name, value in query.items() if value is not None}
        answer = self._call("GET", "/logs?" + urlencode(given), held=wait or 0.0)
        return LogPage(
            containers=answer["containers"],
            lines=[LogLine(*line) for line in answer["lines"]],
            cursor=answer["cursor"],
            more=answer["more"],
            ended=answer["ended"],
        )

    def read_text(
        self,
        task: str,
        container: str | None = None,
        *,
        stream: str | None = None,
        cursor: str | None = None,
    ) -> TextPage:
        """The next piece of all that the containers of `task` wrote, stdout before stderr,
        container after container. Much cheaper than lines.

        :param cursor: go on from an earlier piece, the other parameters as they were.
        """
        query = {"task": task, "container": container, "stream": stream, "cursor": cursor}
        given = {name: value for name, value in query.items() if value is not None}
        answer = self._call("GET", "/logs/text?" + urlencode(given))
        return TextPage(
            containers=answer["containers"],
            parts=[TextPart(*part) for part in answer["parts"]],
            cursor=answer["cursor"],
            more=answer["more"],
        )

    def execute(
        self, task: str, container: str | None, command: Sequence[str], timeout: float
    ) -> tuple[int | None, str, str | None]:
        """Run a command in a container: exit code, output, and why there is no exit code."""
        body = {"task": task, "container": container, "command": list(command)}
        answer = self._call("POST", "/exec", {**body, "timeout": timeout}, held=timeout)
        return answer["exit_code"], str(answer["output"]), answer["reason"]

    def address(
        self, task: str, container: str | None, port: int | None, timeout: float
    ) -> Reached:
        """Wait until a container's port is listened on, and say where it is reached."""
        body = {"task": task, "container": container, "port": port, "timeout": timeout}
        return _read(Reached, self._call("POST", "/address", body, held=timeout))

    def timeline(self) -> list[dict[str, Any]]:
        """What happened in the realm, oldest first: `at`, `kind`, `subject`, `text` and more."""
        entries: list[dict[str, Any]] = self._call("GET", "/timeline")["entries"]
        return entries

    def report(self, log_lines: int) -> dict[str, Any]:
        """The realm for a diagnosis: `tasks`, `services`, `timeline` and of the `logs` so many of
        the last lines of each stream, secrets hidden.
        """
        return self._call("GET", f"/report?log_lines={log_lines}")

    def recording(self) -> dict[str, Any]:
        """What happened in the realm: `entries`, `tasks`, `services`, `definitions` and more."""
        return self._call("GET", "/recording")

    def log_end(self, task: str, container: str) -> dict[str, Any]:
        """The last `lines` of a container, each `[time, stream, text]`, and how many bytes were
        `skipped`; secrets are hidden.
        """
        query = urlencode({"task": task, "container": container})
        return self._call("GET", "/recording/log?" + query)

    def map_image(self, pattern: str, stand_in: Any) -> None:
        """Say what images that match `pattern` are; `stand_in` as for the setting `images`."""
        self._call("POST", "/images", {"pattern": pattern, "stand_in": stand_in})

    def set_secret(
        self, name: str, value: str, *, stage: str | None = None, version: str | None = None
    ) -> None:
        """Register a version of a secret or parameter, by its name or ARN."""
        body = {"name": name, "value": value, "stage": stage, "version": version}
        self._call("POST", "/secrets", body)

    def put_env_file(self, arn: str, text: str) -> None:
        """Register an environment file, by the ARN of its S3 object."""
        self._call("POST", "/env-files", {"arn": arn, "text": text})

    def set_alarm(self, name: str, state: str) -> None:
        """Put a CloudWatch alarm into a state."""
        self._call("POST", "/alarms", {"name": name, "state": state})

    def set_registry(self, arn: str, name: str) -> None:
        """Say under which name a service of Cloud Map is found."""
        self._call("POST", "/registries", {"arn": arn, "name": name})

    def set_hook(self, arn: str, url: str | None) -> str:
        """Have a Lambda function's ARN answered by a URL, or by who asks `next_hook`; the id of the
        realm in which that holds.
        """
        return str(self._call("POST", "/hooks", {"arn": arn, "url": url})["realm"])

    def next_hook(self, realm: str, wait: float) -> dict[str, Any] | None:
        """The next call (`id`, `arn`, `event`) of a function that the test is; empty if there was
        none for `wait` seconds, None once the realm has ended.
        """
        answer = self._call("POST", "/hooks/next", {"realm": realm, "wait": wait}, held=wait)
        return None if answer.get("ended") else answer

    def answer_hook(self, id: str, *, answer: Any = None, error: str | None = None) -> None:
        """What the function returned, or why it failed."""
        self._call("POST", "/hooks/answer", {"id": id, "answer": answer, "error": error})

    def read_events(self, after: int, *, wait: float | None = None) -> EventPage:
        """The next events behind the one of this number.

        :param wait: seconds to wait when there is none; None: what there is now, no more.
        """
        query = urlencode({"after": after, "wait": wait or 0.0})
        return event_page(self._call("GET", f"/events?{query}", held=wait or 0.0))

    def load_balancer(self, arn: str, *, test: bool) -> dict[str, Any]:
        """The listener that a target group or listener rule leads to: `host`, `port`, `protocol`,
        `targets`, `weights` and `counts`.
        """
        return self._call("POST", "/load-balancer", {"arn": arn, "test": test})

    def configure_target_group(self, arn: str, settings: Mapping[str, Any]) -> None:
        """Change settings of a target group, and no others."""
        self._call("POST", "/target-group", {"arn": arn, "settings": dict(settings)})

    def advance_clock(self, seconds: float) -> float:
        """Move the realm's clock on; its new time in seconds since the epoch."""
        return float(self._call("POST", "/clock", {"advance": seconds})["now"])

    def reset(self) -> dict[str, int]:
        """Empty the account that the key stands for; how many of what there were."""
        return {kind: int(count) for kind, count in self._call("POST", "/reset", {}).items()}

    def lease(self, seconds: float | None, *, owner_pid: int | None = None) -> None:
        """Give the environment another owner, or none and `seconds` to live."""
        self._call("POST", "/lease", {"seconds": seconds, "owner_pid": owner_pid})

    def viewer_url(self) -> str:
        """An address at which one browser sees what happens in the environment."""
        return self.endpoint + str(self._call("POST", "/viewers", {})["path"])

    def stop(self) -> None:
        """Ask the server to end; it does so after its answer."""
        self._call("POST", "/stop", {})

    def _call(
        self, method: str, path: str, body: Any = None, *, held: float = 0.0
    ) -> dict[str, Any]:
        payload = None if body is None else json.dumps(body).encode()
        connection = self._connection()
        is_kept = connection.sock is not None
        try:
            status, text = self._exchange(connection, method, path, payload, held)
        except (ConnectionError, http.client.BadStatusLine) as error:
            if not is_kept:
                raise ServerGone(self.endpoint, f"is not there: {_text(error)}") from error
            # A server may close a connection that was idle, and its answer was never begun.
            return self._call(method, path, body, held=held)
        except TimeoutError as error:
            limit = held + ANSWER_SECONDS
            raise ServerGone(self.endpoint, f"did not answer within {limit:.0f} s") from error
        except (OSError, http.client.HTTPException) as error:
            raise ServerGone(self.endpoint, f"broke off: {_text(error)}") from error
        return _answer(status, text)

    def _exchange(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        payload: bytes | None,
        held: float,
    ) -> tuple[int, bytes]:
        connection.timeout = held + ANSWER_SECONDS
        try:
            if connection.sock is None:
                connection.connect()
            connection.sock.settimeout(connection.timeout)
            connection.request(method, "/_kecs" + path, payload, self._headers)
            with connection.getresponse() as response:
                return response.status, response.read()
        except BaseException:
            # Also when a signal's handler raised: the next call would read the rest of this answer,
            # or follow the beginning of this request, which the connection keeps when it is closed.
            self._forget(connection)
            raise

    def _forget(self, connection: http.client.HTTPConnection) -> None:
        with self._lock:
            known = self._connections.items()
            self._connections = {key: each for key, each in known if each is not connection}
        connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        key = (os.getpid(), threading.get_ident())
        with self._lock:
            if key not in self._connections:
                self._connections[key] = http.client.HTTPConnection(*self._address)
            return self._connections[key]


def _address(endpoint: str) -> tuple[str, int]:
    try:
        parts = urlsplit(endpoint)
        if parts.scheme == "http" and parts.hostname:
            return parts.hostname, parts.port or 80
    except ValueError:
        pass
    raise InvalidSetting(
        f"{endpoint!r} is not the address of a kecs server: it must be http://HOST:PORT"
    )


def _read(kind: type[Answer], answer: Mapping[str, Any]) -> Answer:
    """An answer as the dataclass `kind`; members that a newer server may have are skipped."""
    known = {member.name for member in fields(kind)}
    try:
        return kind(**{name: value for name, value in answer.items() if name in known})
    except TypeError as error:
        text = f"the answer of the kecs server is not what this version expects: {error}"
        raise AdminError(200, text) from error


def _credentials(answer: Mapping[str, str]) -> Credentials:
    return Credentials(answer["access_key"], answer["secret_key"])


def _answer(status: int, text: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(text)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise AdminError(status, "this is no kecs server: its answer is not a JSON object")
    if status >= 400:
        raise AdminError(status, str(answer.get("error", "the server gave no reason")))
    return answer


def _text(error: BaseException) -> str:
    return str(error) or type(error).__name__
