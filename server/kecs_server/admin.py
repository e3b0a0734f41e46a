"""`/_kecs`: what the plugin and the command `kecs` ask of the server besides ECS.

JSON in and out; HTTP Basic with an access key and its secret, whose realm is meant.
"""

from __future__ import annotations

import hmac
import math
import os
import re
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import wraps
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version
from typing import Any

from flask import Blueprint
from flask import Response
from flask import jsonify
from flask import request

from kecs_server import recording
from kecs_server import report
from kecs_server.domain.images import parse_images
from kecs_server.domain.target import configure
from kecs_server.domain.target import is_target_group_arn
from kecs_server.environment import Environment
from kecs_server.errors import EcsError
from kecs_server.event_pages import read_events
from kecs_server.lifetime import Lifetime
from kecs_server.settings import DEFAULT_ACCOUNT
from kecs_server.settings import ENGINES
from kecs_server.settings import is_aws_endpoint
from kecs_server.state.realms import Access
from kecs_server.state.realms import RealmRequest
from kecs_server.task_logs import LogQuery
from kecs_server.task_logs import read_logs
from kecs_server.task_logs import read_text
from kecs_server.traffic.view import load_balancer_view
from kecs_server.ui import Viewers

Structure = dict[str, Any]

MAX_WAIT = 300.0
"""Seconds that one long-poll may last; a longer wait is several."""


EXEC_TIMEOUT = 60.0
"""Seconds after which a command in a container is killed, unless the caller says otherwise."""


class BadRequest(Exception):
    """The text says what is wrong with the request."""


def admin_blueprint(environment: Environment, lifetime: Lifetime, viewers: Viewers) -> Blueprint:
    blueprint = Blueprint("admin", __name__)
    admin = Admin(environment, lifetime, viewers)
    for method, path, handler in (
        ("GET", "/health", admin.health),
        ("POST", "/prepare", admin.prepare),
        ("POST", "/realms", admin.begin_realm),
        ("POST", "/realms/end", admin.end_realm),
        ("POST", "/keys", admin.new_key),
        ("POST", "/wait", admin.wait),
        ("GET", "/logs", admin.logs),
        ("GET", "/logs/text", admin.logs_text),
        ("POST", "/exec", admin.execute),
        ("POST", "/address", admin.address),
        ("GET", "/timeline", admin.timeline),
        ("GET", "/events", admin.events),
        ("GET", "/report", admin.report),
        ("GET", "/recording", admin.recording),
        ("GET", "/recording/log", admin.recording_log),
        ("POST", "/images", admin.map_images),
        ("POST", "/secrets", admin.set_secret),
        ("POST", "/env-files", admin.put_env_file),
        ("POST", "/alarms", admin.set_alarm),
        ("POST", "/registries", admin.set_registry),
        ("POST", "/hooks", admin.set_hook),
        ("POST", "/hooks/next", admin.next_hook),
        ("POST", "/hooks/answer", admin.answer_hook),
        ("POST", "/load-balancer", admin.load_balancer),
        ("POST", "/target-group", admin.configure_target_group),
        ("POST", "/clock", admin.advance_clock),
        ("POST", "/reset", admin.reset),
        ("POST", "/lease", admin.renew_lease),
        ("POST", "/viewers", admin.new_viewer),
        ("POST", "/stop", admin.stop),
    ):
        blueprint.add_url_rule(path, path, _answering(environment, handler), methods=[method])
    return blueprint


def _answering(
    environment: Environment, handler: Callable[[str, Structure], Structure]
) -> Callable[[], Response | tuple[Response, int]]:
    @wraps(handler)
    def answer() -> Response | tuple[Response, int]:
        credentials = request.authorization
        key = (credentials.username if credentials else None) or ""
        secret = environment.realms.secret_of(key)
        given = (credentials.password if credentials else None) or ""
        if secret is None or not hmac.compare_digest(secret.encode(), given.encode()):
            return jsonify(error="the access key or its secret is not of this environment"), 401
        try:
            params = request.get_json(silent=True) if request.method == "POST" else request.args
            if not isinstance(params, dict):
                raise BadRequest("the body is not a JSON object")
            return jsonify(handler(key, dict(params)))
        except (BadRequest, ValueError, EcsError) as error:
            return jsonify(error=str(error)), 400

    return answer


class Admin:
    """One method for each path: access key and parameters in, the answer out."""

    def __init__(self, environment: Environment, lifetime: Lifetime, viewers: Viewers) -> None:
        self._environment = environment
        self._realms = environment.realms
        self._lifetime = lifetime
        self._viewers = viewers

    def health(self, key: str, params: Structure) -> Structure:
        settings = self._environment.settings
        return {
            "name": settings.name,
            "version": _version(),
            "pid": os.getpid(),
            "engine": settings.engine,
            "engines": {
                name: asdict(host.state()) for name, host in self._environment.engines.items()
            },
            "lease": self._lifetime.remaining(),
        }

    def prepare(self, key: str, params: Structure) -> Structure:
        name = params.get("engine") or self._environment.settings.engine
        host = self._environment.engines[_checked_engine(name)]
        state = host.prepare(
            seen=str(params.get("phase") or ""),
            timeout=min(_number(params, "wait", 0.0), MAX_WAIT),
        )
        return asdict(state)

    def begin_realm(self, key: str, params: Structure) -> Structure:
        engine = params.get("engine")
        account = params.get("account") or DEFAULT_ACCOUNT
        realm_request = RealmRequest(
            name=str(params.get("name") or "unnamed"),
            account=_checked_account(account),
            engine=_checked_engine(engine) if engine else None,
            aws_endpoint=_checked_endpoint(params.get("aws_endpoint")),
            netns=_checked_switch(params, "netns"),
            manual_clock=_checked_clock(params.get("clock")) == "manual",
            images=parse_images(_checked_object(params, "images")),
        )
        return {"realm": self._realms.begin(key, realm_request).id}

    def end_realm(self, key: str, params: Structure) -> Structure:
        if not params.get("keep"):
            self._realms.end(key)
            return {}
        credentials = self._realms.keep(key)
        return asdict(credentials) if credentials else {}

    def new_key(self, key: str, params: Structure) -> Structure:
        return asdict(self._realms.new_key(key, _checked_account(params.get("account"))))

    def wait(self, key: str, params: Structure) -> Structure:
        latest = time.monotonic() + _number(params, "timeout", MAX_WAIT)
        deadline = _number(params, "deadline", latest)
        since = int(_number(params, "since", -1))
        longest = min(_number(params, "at_most", MAX_WAIT), MAX_WAIT)
        realm = self._access(key).realm
        reached = realm.wait(since, min(deadline, time.monotonic() + longest))
        return {
            "version": reached,
            "deadline": deadline,
            "timed_out": reached <= since and time.monotonic() >= deadline,
        }

    def logs(self, key: str, params: Structure) -> Structure:
        return read_logs(self._environment, self._access(key).realm, _log_query(params))

    def logs_text(self, key: str, params: Structure) -> Structure:
        return read_text(self._environment, self._access(key).realm, _log_query(params))

    def execute(self, key: str, params: Structure) -> Structure:
        command = params.get("command")
        if not isinstance(command, list) or not command:
            raise BadRequest(f"command is a list of words, not {command!r}")
        if not all(isinstance(word, str) and "\0" not in word for word in command):
            raise BadRequest("a word of the command is not a text without NUL")
        timeout = _number(params, "timeout", EXEC_TIMEOUT)
        if timeout <= 0:
            raise BadRequest(f"timeout is a number of seconds above 0, not {timeout:g}")
        return report.execute(
            self._environment,
            self._access(key).realm,
            str(params.get("task") or ""),
            params.get("container"),
            command,
            timeout,
        )

    def address(self, key: str, params: Structure) -> Structure:
        port = params.get("port")
        if port is not None and (type(port) is not int or not 0 < port < 65536):
            raise BadRequest(f"port is a number from 1 to 65535, not {port!r}")
        container = params.get("container")
        return report.address(
            self._environment,
            self._access(key).realm,
            str(params.get("task") or ""),
            None if container is None else str(container),
            port,
            min(_number(params, "timeout", MAX_WAIT), MAX_WAIT),
        )

    def timeline(self, key: str, params: Structure) -> Structure:
        realm = self._access(key).realm
        with realm.reading():
            return {"entries": realm.timeline.as_json()}

    def events(self, key: str, params: Structure) -> Structure:
        """`after` is the number of an event, or a cursor."""
        wait = _number({"wait": _parsed("wait", params.get("wait", "0"))}, "wait", 0.0)
        after = _count({"after": params.get("after", "0")}, "after") or 0
        return read_events(self._access(key).realm, after, min(wait, MAX_WAIT))

    def report(self, key: str, params: Structure) -> Structure:
        lines = _count(params, "log_lines")
        realm = self._access(key).realm
        return report.realm_report(
            self._environment, realm, report.LAST_LINES if lines is None else lines
        )

    def recording(self, key: str, params: Structure) -> Structure:
        return recording.recording(self._access(key).realm, _count(params, "after") or 0)

    def recording_log(self, key: str, params: Structure) -> Structure:
        lines = _count(params, "lines")
        return recording.log_end(
            self._environment,
            self._access(key).realm,
            str(params.get("task") or ""),
            str(params.get("container") or ""),
            recording.MAX_LOG_LINES if lines is None else lines,
        )

    def map_images(self, key: str, params: Structure) -> Structure:
        if not params.get("pattern"):
            raise BadRequest("the parameter 'pattern' is missing")
        images = parse_images({str(params["pattern"]): params.get("stand_in")})
        realm = self._access(key).realm
        with realm.changing():
            # The newest pattern is tried first.
            realm.images = {**images, **{p: s for p, s in realm.images.items() if p not in images}}
        return {}

    def set_secret(self, key: str, params: Structure) -> Structure:
        name = str(params.get("name") or "")
        stage, version = params.get("stage"), params.get("version")
        if not all(item is None or isinstance(item, str) for item in (stage, version)):
            raise BadRequest("stage and version are texts")
        self._access(key).realm.registered.set_secret(name, params.get("value"), stage, version)
        return {}

    def put_env_file(self, key: str, params: Structure) -> Structure:
        registered = self._access(key).realm.registered
        registered.put_env_file(str(params.get("arn") or ""), params.get("text"))
        return {}

    def set_alarm(self, key: str, params: Structure) -> Structure:
        realm = self._access(key).realm
        with realm.changing():
            realm.registered.set_alarm(str(params.get("name") or ""), params.get("state"))
            for cluster, service in realm.services():
                realm.touch_service(cluster, service)
            for _, daemon in realm.daemons():
                realm.touch_managed(daemon)
        return {}

    def set_registry(self, key: str, params: Structure) -> Structure:
        registered = self._access(key).realm.registered
        registered.set_registry(str(params.get("arn") or ""), params.get("name"))
        return {}

    def set_hook(self, key: str, params: Structure) -> Structure:
        realm = self._access(key).realm
        realm.registered.set_hook(str(params.get("arn") or ""), params.get("url"))
        return {"realm": realm.id}

    def next_hook(self, key: str, params: Structure) -> Structure:
        """The next call of a function that the test registered, once there is one; `ended` when
        there will be none because the realm is gone.
        """
        realm = self._access(key).realm
        deadline = time.monotonic() + min(_number(params, "wait", 0.0), MAX_WAIT)
        while True:
            with realm.reading():
                if realm.ended or realm.id != params.get("realm"):
                    return {"ended": True}
                event = realm.registered.next_hook()
                version = realm.version
            if event is not None:
                return {"id": event.id, "arn": event.arn, "event": event.event}
            if time.monotonic() >= deadline:
                return {}
            realm.wait(version, deadline)

    def answer_hook(self, key: str, params: Structure) -> Structure:
        realm = self._access(key).realm
        with realm.reading():
            event = realm.registered.asked_hook(str(params.get("id") or ""))
        if event is None:
            raise BadRequest("no answer of this id is waited for")
        if params.get("error") is not None:
            event.fail(str(params["error"]))
        else:
            event.answer(params.get("answer"))
        return {}

    def load_balancer(self, key: str, params: Structure) -> Structure:
        test = _checked_switch(params, "test") or False
        return load_balancer_view(
            self._environment.balancers,
            self._access(key).realm,
            str(params.get("arn") or ""),
            test=test,
        )

    def configure_target_group(self, key: str, params: Structure) -> Structure:
        realm = self._access(key).realm
        arn = str(params.get("arn") or "")
        if not is_target_group_arn(arn):
            raise BadRequest(f"a target group is named by its ARN, not by {arn!r}")
        with realm.changing():
            configure(realm.target_group(arn), _checked_object(params, "settings"))
        return {}

    def advance_clock(self, key: str, params: Structure) -> Structure:
        realm = self._access(key).realm
        seconds = _number(params, "advance", 0.0)
        with realm.changing():
            before = realm.clock.now()
            realm.clock.advance(seconds)
            realm.timeline.add(before, "clock", "", f"advanced by {seconds:g} s")
        return {"now": realm.clock.now()}

    def reset(self, key: str, params: Structure) -> Structure:
        access = self._access(key)
        return report.reset_account(self._environment, access.realm, access.account)

    def renew_lease(self, key: str, params: Structure) -> Structure:
        owner = params.get("owner_pid")
        if owner is not None and (type(owner) is not int or owner <= 0):
            raise BadRequest(f"owner_pid is the id of a process, not {owner!r}")
        self._lifetime.renew(owner, None if owner else _number(params, "seconds", 0.0))
        return {}

    def new_viewer(self, key: str, params: Structure) -> Structure:
        """A path below which a browser sees the environment; good for one browser."""
        return {"path": f"/_kecs/ui?token={self._viewers.new_token()}"}

    def stop(self, key: str, params: Structure) -> Structure:
        self._lifetime.stop("it was told to")
        return {}

    def _access(self, key: str) -> Access:
        return self._realms.access(key)


def _version() -> str:
    """Of the distribution; a checkout that is not installed has none."""
    try:
        return version("pytest-kecs")
    except PackageNotFoundError:
        return "unknown"


def _checked_engine(name: str) -> str:
    if name not in ENGINES:
        raise BadRequest(f"no engine is named {name!r}; there are {', '.join(ENGINES)}")
    return name


def _checked_account(account: Any) -> str:
    if not isinstance(account, str) or not re.fullmatch("[0-9]{12}", account):
        raise BadRequest(f"an account is 12 digits, not {account!r}")
    return account


def _checked_endpoint(url: Any) -> str | None:
    if url is None or (isinstance(url, str) and is_aws_endpoint(url)):
        return url
    raise BadRequest(f"aws_endpoint is http://HOST:PORT or aws, not {url!r}")


def _checked_clock(name: Any) -> str:
    if name in (None, "real", "manual"):
        return name or "real"
    raise BadRequest(f"clock is real or manual, not {name!r}")


def _checked_switch(params: Structure, name: str) -> bool | None:
    value = params.get(name)
    if value is None or isinstance(value, bool):
        return value
    raise BadRequest(f"{name} is true or false, not {value!r}")


def _checked_object(params: Structure, name: str) -> Structure:
    value = params.get(name) or {}
    if not isinstance(value, dict):
        raise BadRequest(f"{name} is an object, not {value!r}")
    return value


def _log_query(params: Structure) -> LogQuery:
    if "task" not in params:
        raise BadRequest("the parameter 'task' (an id or ARN) is missing")
    numbers = {
        name: _number({name: _parsed(name, params[name])}, name, 0.0)
        for name in ("since", "ago", "wait")
        if name in params
    }
    if "wait" in numbers:
        numbers["wait"] = min(numbers["wait"], MAX_WAIT)
    return LogQuery(
        task=params["task"],
        container=params.get("container"),
        stream=params.get("stream"),
        tail=_count(params, "tail"),
        cursor=params.get("cursor"),
        **numbers,
    )


def _count(params: Structure, name: str) -> int | None:
    """A number of lines or of an event, in a query string."""
    text = params.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise BadRequest(f"{name} is a whole number from 0 on, not {text!r}")
    return int(text)


def _parsed(name: str, text: str) -> float:
    """A number of a query string."""
    try:
        return float(text)
    except ValueError:
        raise BadRequest(f"{name} is a number of seconds, not {text!r}") from None


def _number(params: Structure, name: str, default: float) -> float:
    value = params.get(name)
    if value is None:
        return default
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value):
        raise BadRequest(f"{name} is a number, not {value!r}")
    return float(value)
