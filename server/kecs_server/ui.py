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
from flask import g
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
    guard = Guard(environment.settings.name, viewers)
    blueprint.before_request(guard.refuse_strangers)
    blueprint.after_request(guard.protect)
    answers = Answers(environment)
    for path, handler in (("", answers.show), ("/data", answers.data), ("/log", answers.log)):
        blueprint.add_url_rule(path, handler.__name__, handler)
    return blueprint


class Guard:
    """Lets in who has a cookie, or gets one for a token, and tells browsers to keep to themselves
    what they are given.
    """

    def __init__(self, name: str, viewers: Viewers) -> None:
        # Cookies are for a host, whatever the port: each environment has a name of its own for it.
        self._cookie_name = f"{name}-ui"
        self._refused = (
            "This address was used before, or is not of this environment. "
            f"`kecs ui {name}` prints another."
        )
        self._viewers = viewers

    def refuse_strangers(self) -> Response | None:
        if self._viewers.knows(request.cookies.get(self._cookie_name, "")):
            return None
        if request.endpoint == "ui.show" and "token" in request.args:
            g.new_cookie = self._viewers.admit(request.args["token"])
            if g.new_cookie is not None:
                return None
        return Response(self._refused, status=401, mimetype="text/plain")

    def protect(self, response: Response) -> Response:
        response.headers.update(_HEADERS)
        if g.get("new_cookie") is not None:
            response.set_cookie(
                self._cookie_name, g.new_cookie, path="/_kecs/ui", httponly=True, samesite="Strict"
            )
        return response


class Answers:
    """One method for each path."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment

    def show(self) -> Response:
        realm = _chosen(self._environment) or _newest(self._environment)
        if realm is None:
            text = "Nothing has been asked of this environment yet; load this page again later.\n"
            return Response(text, mimetype="text/plain")
        response = Response(_page(self._environment, realm), mimetype="text/html")
        rules = f"{page.policy(live=True)}; frame-ancestors 'none'"
        response.headers["Content-Security-Policy"] = rules
        return response

    def data(self) -> Response:
        realm = _chosen(self._environment)
        if realm is None:
            return jsonify(ended=True, realms=_realms(self._environment))
        version = request.args.get("version", -1, type=int)
        reached = realm.wait(version, time.monotonic() + WAIT)
        if reached <= version:
            return jsonify(realms=_realms(self._environment))
        news = recording.recording(realm, request.args.get("after", 0, type=int))
        return jsonify(recording=news, realms=_realms(self._environment))

    def log(self) -> Response | tuple[Response, int]:
        realm = _chosen(self._environment)
        task, container = request.args.get("task", ""), request.args.get("container", "")
        try:
            if realm is None:
                raise ValueError("the realm has ended")
            end = recording.log_end(self._environment, realm, task, container, MAX_LINES)
        except ValueError as error:
            return jsonify(error=str(error)), 404
        return jsonify(end)


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
