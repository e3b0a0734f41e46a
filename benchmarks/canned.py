"""A Werkzeug server that gives answers which it was told beforehand: what no server can go below.

As a program it reads one line of JSON from standard input, operation to body, prints its port,
and ends with its standard input.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from collections.abc import Mapping
from contextlib import contextmanager

from kecs_server.serving import RequestHandler
from werkzeug.serving import make_server
from werkzeug.wrappers import Request
from werkzeug.wrappers import Response

_JSON_TYPE = "application/x-amz-json-1.1"


@contextmanager
def canned_server(answers: Mapping[str, bytes]) -> Iterator[str]:
    """A server that answers each operation with these bytes, in a process of its own.

    Gives its endpoint; on leaving it has ended.
    """
    command = [sys.executable, "-m", "benchmarks.canned"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            told = {name: body.decode() for name, body in answers.items()}
            process.stdin.write(json.dumps(told) + "\n")
            process.stdin.flush()
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.kill()


def main() -> None:
    # Ctrl-C is for the program that asked.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    told = json.loads(sys.stdin.readline())
    answers = {name: body.encode() for name, body in told.items()}

    @Request.application
    def answer(request: Request) -> Response:
        request.get_data()
        operation = request.headers["X-Amz-Target"].rpartition(".")[2]
        return Response(answers[operation], content_type=_JSON_TYPE)

    server = make_server("127.0.0.1", 0, answer, threaded=True, request_handler=RequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.port, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
