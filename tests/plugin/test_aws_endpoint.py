"""The setting `aws_endpoint`: who is asked, and with whose credentials."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from http.server import ThreadingHTTPServer

import pytest
from inner_runs import run

TEST = """
    import pytest

    ROLE = "arn:aws:iam::123456789012:role/execution"
    SECRET = "arn:aws:secretsmanager:eu-west-2:123456789012:secret:s-AbCdEf"

    {mark}
    def test_asks(ecs_client, kecs):
        ecs_client.register_task_definition(
            family="app",
            executionRoleArn=ROLE,
            containerDefinitions=[
                {{
                    "name": "app",
                    "image": "i",
                    "memory": 64,
                    "command": ["true"],
                    "secrets": [{{"name": "A", "valueFrom": SECRET}}],
                }}
            ],
        )
        kecs.assert_stopped(kecs.run_task("app"), reason="{reason}")
"""
ANSWER = b'{"__type": "ForTestsException", "message": "who asked"}'


class Endpoint:
    """Refuses every call, and remembers how each was signed."""

    def __init__(self) -> None:
        self.signed: list[str] = []
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                endpoint.signed.append(self.headers["Authorization"])
                self.send_response(400)
                self.send_header("Content-Length", str(len(ANSWER)))
                self.end_headers()
                self.wfile.write(ANSWER)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def asked_by(self) -> list[str]:
        """Access key, region and service of each call, but for events, which come in between."""
        scopes = (re.search(r"Credential=([^/]+)/\d+/([^/]+/[^/]+)/", each) for each in self.signed)
        asked = [f"{scope[1]} {scope[2]}" for scope in scopes if scope]
        return [each for each in asked if not each.endswith("/events")]


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    endpoint = Endpoint()
    thread = threading.Thread(target=endpoint.server.serve_forever)
    thread.start()
    yield endpoint
    endpoint.server.shutdown()
    thread.join()
    endpoint.server.server_close()


def test_the_option_and_the_credentials_that_pytest_has(
    inner: pytest.Pytester, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "MINE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    inner.makepyfile(TEST.format(mark="", reason="ForTestsException: who asked"))
    run(inner, f"--kecs-aws-endpoint={endpoint.url}/", "-n1").assert_outcomes(passed=1)
    assert endpoint.asked_by() == ["MINE eu-west-2/secretsmanager"]


def test_the_marker_and_no_credentials(
    inner: pytest.Pytester, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", str(inner.path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(inner.path / "none"))
    mark = f'@pytest.mark.kecs(aws_endpoint="{endpoint.url}")'
    inner.makepyfile(TEST.format(mark=mark, reason="ForTestsException: who asked"))
    run(inner).assert_outcomes(passed=1)
    assert endpoint.asked_by() == ["test eu-west-2/secretsmanager"]


def test_nobody_is_asked_without_it(inner: pytest.Pytester, endpoint: Endpoint) -> None:
    inner.makepyfile(TEST.format(mark="", reason="Secrets Manager can't find"))
    run(inner).assert_outcomes(passed=1)
    assert endpoint.signed == []


def test_a_url_that_cannot_be(inner: pytest.Pytester) -> None:
    inner.makepyfile("def test_plain(): pass")
    result = run(inner, "--kecs-aws-endpoint=localhost:4566")
    result.stderr.fnmatch_lines(
        ["*--kecs-aws-endpoint: 'localhost:4566' cannot be used*HOST:PORT*"]
    )
