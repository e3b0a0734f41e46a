"""`/_kecs/ui`: the page of a recording that goes on, for a browser. It only reads.

Who has a token, which is good once, gets a cookie with the page; the page's own questions come with
that. Browsers send it to no other site and for no other site's pages.
"""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict

from flask import Blueprint
from flask import Response
from flask import jsonify
from flask import request

from kecs_server import page
from kecs_server import recording
from kecs_server.environment import Environment
from kecs_server.state.realm import Realm

MAX_TOKENS = 100
"""Tokens that are not used yet, and cookies: above this the oldest are void."""

WAIT = 10.0
"""Seconds that a question for news is held; new realms are seen after as many at the latest."""

MAX_LINES = 2000
"""Of the end of a container's log."""

_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Viewers:
    """Who may look on. Thread-safe: each operation is one of a dictionary's."""

    def __init__(self) -> None:
        self._tokens: OrderedDict[str, None] = OrderedDict()
        self._cookies: OrderedDict[str, None] = OrderedDict()

    def new_token(self) -> str:
        return _remember(self._tokens)

    def admit(self, token: str) -> str | None:
        """A cookie for a token, which is used up by that; None: it is none of ours any more."""
        return _remember(self._cookies) if self._tokens.pop(token, self) is None else None

    def knows(self, cookie: str) -> bool:
        return cookie in self._cookies


def _remember(known: OrderedDict[str, None]) -> str:
    made = secrets.token_urlsafe(32)
    known[made] = None
    if len(known) > MAX_TOKENS:
        known.popitem(last=False)
    return made


def ui_blueprint(environment: Environment, viewers: Viewers) -> Blueprint:
    blueprint = Blueprint("ui", __name__)
    # Cookies are for a host, whatever the port: each environment has a name of its own for it.
    cookie_name = f"{environment.settings.name}-ui"
    refused = (
        "This address was used before, or is not of this environment. "
        f"`kecs ui {environment.settings.name}` prints another."
    )

    @blueprint.before_request
    def refuse_strangers() -> Response | None:
        is_first = request.endpoint == "ui.show" and "token" in request.args
        if is_first or viewers.knows(request.cookies.get(cookie_name, "")):
            return None
        return Response(refused, status=401, mimetype="text/plain", headers=_HEADERS)

    @blueprint.after_request
    def protect(response: Response) -> Response:
        response.headers.update(_HEADERS)
        return response

    @blueprint.get("")
    def show() -> Response:
        cookie = None
        if not viewers.knows(request.cookies.get(cookie_name, "")):
            cookie = viewers.admit(request.args["token"])
            if cookie is None:
                return Response(refused, status=401, mimetype="text/plain")
        realm = _chosen(environment) or _newest(environment)
        if realm is None:
            text = "Nothing has been asked of this environment yet; load this page again later.\n"
            response = Response(text, mimetype="text/plain")
        else:
            response = Response(_page(environment, realm), mimetype="text/html")
            rules = f"{page.policy(live=True)}; frame-ancestors 'none'"
            response.headers["Content-Security-Policy"] = rules
        if cookie is not None:
            response.set_cookie(
                cookie_name, cookie, path="/_kecs/ui", httponly=True, samesite="Strict"
            )
        return response

    @blueprint.get("/data")
    def data() -> Response:
        realm = _chosen(environment)
        if realm is None:
            return jsonify(ended=True, realms=_realms(environment))
        version = request.args.get("version", -1, type=int)
        reached = realm.wait(version, time.monotonic() + WAIT)
        if reached <= version:
            return jsonify(realms=_realms(environment))
        news = recording.recording(realm, request.args.get("after", 0, type=int))
        return jsonify(recording=news, realms=_realms(environment))

    @blueprint.get("/log")
    def log() -> Response | tuple[Response, int]:
        realm = _chosen(environment)
        task, container = request.args.get("task", ""), request.args.get("container", "")
        try:
            if realm is None:
                raise ValueError("the realm has ended")
            end = recording.log_end(environment, realm, task, container, MAX_LINES)
        except ValueError as error:
            return jsonify(error=str(error)), 404
        return jsonify(end)

    return blueprint


def _chosen(environment: Environment) -> Realm | None:
    identifier = request.args.get("realm")
    return next((each for each in environment.realms.all() if each.id == identifier), None)


def _newest(environment: Environment) -> Realm | None:
    """The one in which something happened last, of those with tasks if there are any."""
    return max(
        environment.realms.all(),
        key=lambda realm: (bool(realm.tasks()), realm.changed_at),
        default=None,
    )


def _page(environment: Environment, realm: Realm) -> str:
    data = {
        "recording": recording.recording(realm, 0),
        "live": {"realm": realm.id, "realms": _realms(environment)},
    }
    return page.render(data, f"{realm.name} - {environment.settings.name}", live=True)


def _realms(environment: Environment) -> list[dict[str, object]]:
    realms = []
    for realm in environment.realms.all():
        with realm.reading():
            realms.append({"id": realm.id, "name": realm.name, "tasks": len(realm.tasks())})
    return realms
