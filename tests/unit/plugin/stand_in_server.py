"""A server as small as the launcher can be tried with: it keeps the launch contract, no more.

`python stand_in_server.py [deaf|broken]`: deaf ignores SIGTERM, broken ends at once with a text.
Any request is answered with the settings that it was given.
"""

from __future__ import annotations

import http.server
import json
import os
import shutil
import signal
import socket
import sys
import threading


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = json.dumps({"settings": SETTINGS, "environ": dict(os.environ)}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET


def main(kind: str) -> None:
    if kind == "broken":
        print("no cluster answers at 10.0.0.1")
        sys.exit(3)
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, signal.SIG_IGN if kind == "deaf" else lambda *_: stopping.set())
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler, bind_and_activate=False)
    server.socket.close()
    server.socket = socket.socket(fileno=SETTINGS["listen_fd"])
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    stopping.wait()
    shutil.rmtree(SETTINGS["directory"])


if __name__ == "__main__":
    SETTINGS = json.load(sys.stdin)
    main(sys.argv[1] if sys.argv[1:] else "")
