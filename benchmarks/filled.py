"""Our server with as many tasks, services and task definitions as wanted, none of which runs.

It is the server as it is, but for its scheduler, which is not started: tasks stay as StartTask and
CreateService leave them. They are made by the operations themselves, without HTTP.
As a program it takes their numbers as arguments, prints its port when everything is there, and ends
with its standard input.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kecs_server.app import create_app
from kecs_server.credentials import Credentials
from kecs_server.credentials import derive_credentials
from kecs_server.environment import Environment
from kecs_server.lifetime import Lifetime
from kecs_server.operations.registry import Call
from kecs_server.operations.table import all_operations
from kecs_server.serving import RequestHandler
from kecs_server.settings import ServerSettings
from werkzeug.serving import make_server

from benchmarks.errors import BenchmarkError
from benchmarks.ours import REGION

CONTAINER: dict[str, Any] = {"name": "app", "image": "app", "memory": 64}
_SECRET = "benchmark"
_AT_ONCE = 10
"""Tasks of one StartTask, the most that ECS takes."""

_PER_INSTANCE = 100

KEY = derive_credentials(_SECRET, "benchmark/main")


def name_of(number: int) -> str:
    """The name of a service, or of a family."""
    return f"thing-{number:05}"


@contextmanager
def filled_server(tasks: int, services: int, definitions: int) -> Iterator[tuple[str, Credentials]]:
    """The endpoint of such a server, and a key; on leaving it has ended."""
    counts = [str(count) for count in (tasks, services, definitions)]
    command = [sys.executable, "-m", "benchmarks.filled", *counts]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}", KEY
        finally:
            process.kill()


def main() -> None:
    # Ctrl-C is for the program that asked.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    settings = ServerSettings(
        name="kecs-000000", directory="", listen_fd=-1, secret=_SECRET, region=REGION
    )
    environment = Environment(settings, "http://127.0.0.1")
    _fill(environment, *map(int, sys.argv[1:]))
    app = create_app(environment, Lifetime(None, None))
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=RequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.port, flush=True)
    sys.stdin.read()


def _fill(environment: Environment, tasks: int, services: int, definitions: int) -> None:
    access = environment.realms.access(KEY.access_key)
    call = Call(realm=access.realm, account=access.account, region=REGION)

    def do(operation: str, **params: Any) -> dict[str, Any]:
        answer: dict[str, Any] = all_operations().operations()[operation].handler(call, params)
        return answer

    do("CreateCluster", clusterName="default")
    for number in range(definitions):
        do(
            "RegisterTaskDefinition",
            family=name_of(number),
            containerDefinitions=[CONTAINER],
        )
    for number in range(services):
        do(
            "CreateService",
            serviceName=name_of(number),
            taskDefinition=name_of(0),
            desiredCount=0,
        )
    arns = [_instance(do) for _ in range(tasks // _PER_INSTANCE)]
    for begin in range(0, len(arns), _AT_ONCE):
        for _ in range(_PER_INSTANCE):
            answer = do(
                "StartTask",
                taskDefinition=name_of(0),
                containerInstances=arns[begin : begin + _AT_ONCE],
            )
            if answer["failures"]:
                raise BenchmarkError(f"a task was not placed: {answer['failures'][0]}")


def _instance(do: Callable[..., dict[str, Any]]) -> str:
    """The ARN of a new one that has room for its tasks."""
    room = {"type": "INTEGER", "integerValue": _PER_INSTANCE * CONTAINER["memory"]}
    resources = [{"name": name, **room} for name in ("CPU", "MEMORY")]
    answer = do("RegisterContainerInstance", totalResources=resources)
    return str(answer["containerInstance"]["containerInstanceArn"])


if __name__ == "__main__":
    main()
