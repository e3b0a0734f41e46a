"""moto's server as the rest of AWS: a process of its own, which ends with this one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import field
from typing import Any

import boto3
from botocore.config import Config

REGION = "us-east-1"
# End of file on standard input means that the tests are over, or were killed.
_PROGRAM = """
import os, sys, threading

threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
from moto.server import main
main(["-H", "127.0.0.1", "-p", "0"])
"""


@dataclass
class Moto:
    """A server that listens at `url`."""

    url: str
    stack: ExitStack = field(default_factory=ExitStack)

    def client(self, service: str, region: str = REGION) -> Any:
        client = boto3.client(
            service,  # type: ignore[call-overload]
            region_name=region,
            endpoint_url=self.url,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(proxies={}, s3={"addressing_style": "path"}),
        )
        self.stack.callback(client.close)
        return client


@contextmanager
def moto_server() -> Iterator[Moto]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    with subprocess.Popen(
        [sys.executable, "-c", _PROGRAM],
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        # Once it has said where it listens, what it says is thrown away.
        rest = threading.Thread(target=process.stderr.read)
        try:
            url = _url(process)
            rest.start()
            with ExitStack() as stack:
                yield Moto(url, stack)
        finally:
            process.kill()
            if rest.is_alive():
                rest.join()


def _url(process: subprocess.Popen[str]) -> str:
    assert process.stderr is not None
    said = ""
    for line in process.stderr:
        said += line
        found = re.search(r"Running on (http://127\.0\.0\.1:\d+)", line)
        if found:
            return found[1]
    raise AssertionError(said)
