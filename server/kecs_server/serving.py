"""Serving the application on a socket that is bound already, from start to ordered end."""

from __future__ import annotations

import contextlib
import json
import logging
import signal
import socket
import ssl
import sys
import threading
import uuid
from http import HTTPStatus
from pathlib import Path
from types import FrameType
from typing import Any
from typing import ClassVar

from flask import Flask
from werkzeug.serving import BaseWSGIServer
from werkzeug.serving import WSGIRequestHandler
from werkzeug.serving import make_server
from werkzeug.test import run_wsgi_app

from kecs_server.app import JSON_TYPE
from kecs_server.app import create_app
from kecs_server.app import create_relay_app
from kecs_server.engines.folders import delete_tree
from kecs_server.engines.open_files import raise_limit
from kecs_server.environment import Environment
from kecs_server.lifetime import Lifetime
from kecs_server.settings import TLS_FILE
from kecs_server.settings import ServerSettings

SWITCH_INTERVAL = 0.0002
"""Seconds that a thread may hold the interpreter while another wants it."""

_log = logging.getLogger(__name__)


class RequestHandler(WSGIRequestHandler):
    """HTTP/1.1 with keep-alive, an answer in one packet, nothing printed.

    Werkzeug's own way to run an application closes every connection, for it cannot know that the
    request's body has been read. This application always reads it.
    """

    tls: ClassVar[ssl.SSLContext | None] = None
    """What clients may speak as well: the first byte that one sends tells."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def setup(self) -> None:
        if self.tls is not None and _begins_handshake(self.request):
            self.request = self.tls.wrap_socket(
                self.request, server_side=True, do_handshake_on_connect=False
            )
        super().setup()

    def handle(self) -> None:
        # A handshake that fails is the client's affair: it is told by TLS.
        with contextlib.suppress(ssl.SSLError):
            super().handle()

    def finish(self) -> None:
        super().finish()
        if isinstance(self.request, ssl.SSLSocket):
            self.request.close()

    def run_wsgi(self) -> None:
        self.environ = environ = self.make_environ()
        body, status, headers = run_wsgi_app(self.server.app, environ, buffered=True)
        code, _, phrase = status.partition(" ")
        self.send_response(int(code), phrase)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(b"".join(body))

    def handle_expect_100(self) -> bool:
        proceed = super().handle_expect_100()
        self.wfile.flush()
        return proceed

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse what is no HTTP request, in the form of ECS's errors and not as a page."""
        text = message or HTTPStatus(code).phrase
        body = json.dumps({"__type": "SerializationException", "message": text}).encode()
        self.request_version = self.protocol_version
        self.send_response(code)
        self.send_header("Content-Type", JSON_TYPE)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("x-amzn-RequestId", str(uuid.uuid4()))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log(self, type: str, message: str, *args: Any) -> None:
        _log.debug(message, *args)


def _begins_handshake(connection: socket.socket) -> bool:
    try:
        return connection.recv(1, socket.MSG_PEEK) == b"\x16"
    except OSError:
        return False


def _handler(settings: ServerSettings) -> type[RequestHandler]:
    if not settings.tls:
        return RequestHandler
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(Path(settings.directory) / TLS_FILE)
    return type("TlsRequestHandler", (RequestHandler,), {"tls": context})


class Relays:
    """More listeners, for containers that cannot reach loopback."""

    app: Flask

    def __init__(self) -> None:
        self._servers: list[BaseWSGIServer] = []

    def serve(self, host: str) -> int:
        """Serve containers at this address of the machine; returns the port.

        :raises OSError: the address is not one of the machine's.
        """
        with socket.create_server((host, 0)) as listener:
            port = int(listener.getsockname()[1])
            server = make_server(
                host,
                port,
                self.app,
                threaded=True,
                request_handler=RequestHandler,
                fd=listener.fileno(),
            )
        self._servers.append(server)
        threading.Thread(target=server.serve_forever, name="relay", daemon=True).start()
        return port

    def close(self) -> None:
        for server in self._servers:
            stop_accepting(server)


def serve(settings: ServerSettings) -> None:
    """Serve until the environment's life is over; afterwards nothing of it is left."""
    # The scheduler has a task to start while a request's thread still writes the answer.
    sys.setswitchinterval(SWITCH_INTERVAL)
    raise_limit()
    lifetime = Lifetime(settings.owner_pid, settings.lease)

    def on_signal(number: int, frame: FrameType | None) -> None:
        lifetime.stop(f"signal {signal.Signals(number).name}")

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    lifetime.heed_signals()
    with socket.socket(fileno=settings.listen_fd) as listener:
        host, port = listener.getsockname()[:2]
        relays = Relays()
        environment = Environment(settings, f"http://{host}:{port}", relays.serve)
        relays.app = create_relay_app(environment)
        server = make_server(
            host,
            port,
            create_app(environment, lifetime),
            threaded=True,
            request_handler=_handler(settings),
            fd=listener.fileno(),
        )
    environment.start()
    acceptor = threading.Thread(target=server.serve_forever, name="acceptor", daemon=True)
    acceptor.start()
    _log.info("%s serves on %s:%d", settings.name, host, port)
    _log.info("%s ends: %s", settings.name, lifetime.wait())
    relays.close()
    _end(server, environment, settings)
    lifetime.close()


def _end(server: BaseWSGIServer, environment: Environment, settings: ServerSettings) -> None:
    stop_accepting(server)
    environment.close()
    _end_orphans(settings)
    _log.info("%s has ended", settings.name)
    try:
        delete_tree(Path(settings.directory))
    except OSError as error:  # who started the server tries again
        _log.warning("%s could not be deleted: %s", settings.directory, error)


def stop_accepting(server: BaseWSGIServer) -> None:
    """Close the listening socket. `shutdown` waits until the acceptor next looks whether it is to
    end, which it does twice a second and at each connection.
    """
    address = server.socket.getsockname()
    stopping = threading.Thread(target=server.shutdown, name="shutdown", daemon=True)
    stopping.start()
    while stopping.is_alive():
        with contextlib.suppress(OSError):
            socket.create_connection(address, timeout=1).close()
        stopping.join(0.01)
    server.server_close()


def _end_orphans(settings: ServerSettings) -> None:
    """End the command of a `kecs run` that was killed: nobody else is left to do it."""
    from kecs_server.prune import kill_leftovers

    if settings.owner_pid is not None and _has_ended(settings.owner_pid):
        kill_leftovers(settings.name)


def _has_ended(pid: int) -> bool:
    import psutil

    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True
