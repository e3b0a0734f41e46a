"""The Flask application: one POST route for the ECS API, and `/_kecs` for the plugin."""

from __future__ import annotations

import uuid
from collections.abc import Collection

from flask import Flask
from flask import Request
from flask import Response
from flask import g
from flask import request
from flask.json.provider import DefaultJSONProvider
from werkzeug.exceptions import HTTPException
from werkzeug.exceptions import RequestEntityTooLarge

from kecs_server.admin import admin_blueprint
from kecs_server.domain.ways_out import AGENT_ADDRESS
from kecs_server.environment import Environment
from kecs_server.errors import AccessDeniedException
from kecs_server.errors import EcsError
from kecs_server.errors import RequestEntityTooLargeException
from kecs_server.errors import SerializationException
from kecs_server.lifetime import Lifetime
from kecs_server.metadata.endpoints import metadata_blueprint
from kecs_server.operations.table import all_operations
from kecs_server.protocol import sts
from kecs_server.protocol.content import MAX_BODY
from kecs_server.protocol.dispatch import Answer
from kecs_server.protocol.dispatch import Dispatcher
from kecs_server.protocol.dispatch import error_answer
from kecs_server.protocol.foreign import CODE
from kecs_server.protocol.foreign import STATUS
from kecs_server.protocol.foreign import refusal
from kecs_server.protocol.signature import SignedRequest
from kecs_server.ui import Viewers
from kecs_server.ui import ui_blueprint

JSON_TYPE = "application/x-amz-json-1.1"

LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})


def create_app(environment: Environment, lifetime: Lifetime) -> Flask:
    app = _create_app(environment, LOOPBACK)
    viewers = Viewers()
    app.register_blueprint(admin_blueprint(environment, lifetime, viewers), url_prefix="/_kecs")
    app.register_blueprint(ui_blueprint(environment, viewers), url_prefix="/_kecs/ui")

    @app.get("/")
    def name() -> Response:
        text = f"pytest-kecs {environment.settings.name}: an Amazon ECS endpoint for tests\n"
        return Response(text, mimetype="text/plain")

    return app


def create_relay_app(environment: Environment) -> Flask:
    """What containers reach that have a network of their own: all but `/_kecs`."""
    return _create_app(environment, frozenset({AGENT_ADDRESS}))


def _create_app(environment: Environment, hosts: Collection[str]) -> Flask:
    """:param hosts: the names that requests may call this server by."""
    app = Flask(__name__, static_folder=None)
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.url_map.merge_slashes = False
    # What was sent is shown in its order.
    provider = DefaultJSONProvider(app)
    provider.sort_keys = False
    app.json = provider
    dispatcher = Dispatcher(
        environment.realms,
        all_operations().operations(),
        strict_time=environment.settings.strict_time,
    )
    app.register_blueprint(metadata_blueprint(environment))

    @app.before_request
    def receive() -> Response | None:
        g.request_id = str(uuid.uuid4())
        # Whatever the answer will be, the body must not stay on a kept-alive connection.
        problem = _body_problem()
        if problem is not None:
            answer = _json(error_answer(problem))
            # Where the body ends, and the next request begins, cannot be told.
            answer.headers["Connection"] = "close"
            return answer
        host = request.host.rpartition(":")[0] or request.host
        if host not in hosts:
            # A web page whose name resolves to loopback must not reach what runs commands.
            return _json(error_answer(AccessDeniedException(f"Host '{request.host}' is not mine.")))
        service = _service_of(request)
        if service not in (None, "ecs", "sts"):
            refused = refusal(service, request.content_type or "")
            headers = {"x-amzn-ErrorType": CODE}
            return Response(
                refused.body, status=STATUS, content_type=refused.content_type, headers=headers
            )
        return None

    @app.after_request
    def identify(response: Response) -> Response:
        response.headers["x-amzn-RequestId"] = g.request_id
        return response

    @app.errorhandler(HTTPException)
    def refuse(error: HTTPException) -> Response:
        body = {"__type": "UnknownOperationException", "message": error.description}
        return _json(Answer(error.code or 500, body))

    @app.post("/")
    def call() -> Response:
        signed = _signed_request()
        if _service_of(request) == "sts":
            return _sts(dispatcher, environment, signed)
        return _json(dispatcher.answer(signed))

    return app


def _body_problem() -> EcsError | None:
    """Read the body; says what is wrong with its framing."""
    length = request.headers.get("Content-Length")
    if length is not None and request.content_length is None:
        return SerializationException(f"The Content-Length '{length}' is not valid.")
    is_limited = not request.path.startswith("/_kecs")
    # A chunked body is read up to this, without a word when there is more.
    request.max_content_length = MAX_BODY + 1 if is_limited else None
    try:
        if len(request.get_data()) > MAX_BODY and is_limited:
            return RequestEntityTooLargeException()
    except RequestEntityTooLarge:
        return RequestEntityTooLargeException()
    except (OSError, ValueError) as error:
        return SerializationException(f"The request body is broken: {error}")
    return None


def _signed_request() -> SignedRequest:
    return SignedRequest(
        method=request.method,
        path=request.path,
        query=request.query_string.decode("latin-1"),
        headers={name.lower(): value for name, value in request.headers.items()},
        body=request.get_data(),
    )


def _service_of(request: Request) -> str | None:
    """The service that the credential scope names, in the header or in a presigned URL; whether
    it is true is checked later.
    """
    scope = request.headers.get("authorization", "").partition("Credential=")[2].split(",")[0]
    parts = (scope or request.args.get("X-Amz-Credential", "")).split("/")
    return parts[3] if len(parts) >= 5 else None


def _sts(dispatcher: Dispatcher, environment: Environment, signed: SignedRequest) -> Response:
    try:
        caller = dispatcher.authenticate(signed)
        if not sts.is_get_caller_identity(signed.body):
            raise AccessDeniedException("Of STS this pytest-kecs server has GetCallerIdentity.")
    except EcsError as error:
        text = sts.error(error.code, error.message or "", g.request_id)
        return Response(text, status=403, mimetype="text/xml")
    access = environment.realms.access(caller.access_key)
    text = sts.caller_identity(access.account, caller.region, access.principal, g.request_id)
    return Response(text, mimetype="text/xml")


def _json(answer: Answer) -> Response:
    return Response(answer.text, status=answer.status, content_type=JSON_TYPE)
