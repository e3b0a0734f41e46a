"""The ordered end of a server."""

from __future__ import annotations

import socket
import threading
import time

import pytest
from flask import Flask
from kecs_server.serving import stop_accepting
from werkzeug.serving import make_server

PATIENCE = 60.0


def test_who_accepts_need_not_look_by_itself_whether_it_is_to_end() -> None:
    server = make_server("127.0.0.1", 0, Flask(__name__), threaded=True)
    address = server.socket.getsockname()
    thread = threading.Thread(target=server.serve_forever, args=(PATIENCE,))
    thread.start()
    began = time.monotonic()
    stop_accepting(server)
    assert time.monotonic() - began < PATIENCE / 2
    thread.join()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)
