"""Answers every request with its greeting and the id of its process."""

from __future__ import annotations

import os
from http.server import BaseHTTPRequestHandler
from http.server import ThreadingHTTPServer


class Greeter(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = f"{os.environ['GREETING']} from {os.getpid()}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    address = os.environ.get("KECS_HOST", "0.0.0.0"), int(os.environ.get("KECS_PORT_8080", "8080"))
    ThreadingHTTPServer(address, Greeter).serve_forever()
