"""Calling the functions that are hooks of deployments: the test's own, a URL, or Lambda."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from typing import Any

from kecs_server.aws.endpoints import Endpoints
from kecs_server.aws.pool import Pool
from kecs_server.domain import hooks
from kecs_server.domain.arns import parse_arn
from kecs_server.domain.cluster import Cluster
from kecs_server.domain.deployment import FAILED
from kecs_server.domain.service import Service
from kecs_server.scheduler.rollouts import HookCall
from kecs_server.state.realm import Realm
from kecs_server.state.registered import HookEvent

Structure = dict[str, Any]

THREADS = 4
"""Hooks that are called at the same time."""

URL_TIMEOUT = 30.0
"""Seconds that a URL may take to answer."""

MAX_ANSWER = 6 * 1024 * 1024
"""Bytes of a function's answer, as Lambda has it."""


class HookCaller:
    """A hook's function is what the test registered for its ARN, else Lambda's of the endpoint."""

    def __init__(self, endpoints_of: Callable[[Realm], Endpoints | None]) -> None:
        self._endpoints_of = endpoints_of
        self._pool = Pool("hooks", THREADS)

    def close(self) -> None:
        self._pool.close()

    def call(self, realm: Realm, cluster: Cluster, service: Service, call: HookCall) -> None:
        """Returns at once, and waits for nothing; under the realm's lock."""
        arn = str(call.run.hook.get("hookTargetArn"))
        event = hooks.event_of(service, call.way, call.run)

        def answer(value: object) -> None:
            with realm.changing():
                hooks.take_answer(service, call.run, value, realm.clock.now())
                realm.touch_service(cluster, service)

        def fail(why: str) -> None:
            with realm.changing():
                hooks.fail(service, call.run, f"{FAILED}: {why}", realm.clock.now())
                realm.touch_service(cluster, service)

        registered = realm.registered.hooks
        endpoints = self._endpoints_of(realm)
        if arn in registered and registered[arn] is None:
            realm.registered.ask_hook(HookEvent(call.run.id, arn, event, answer, fail))
        elif arn in registered:
            url = str(registered[arn])
            self._pool.submit(lambda: _ask(lambda: _post(url, event), answer, fail))
        elif endpoints is not None:
            found = endpoints
            self._pool.submit(lambda: _ask(lambda: _invoke(found, arn, event), answer, fail))
        else:
            fail("nobody answers for it; register it with kecs.on_hook, or name an AWS endpoint")


def _ask(
    get: Callable[[], object], answer: Callable[[object], None], fail: Callable[[str], None]
) -> None:
    try:
        value = get()
    except Exception as error:
        # Whatever went wrong: the hook has failed, and nobody waits for it any longer.
        fail(str(error) or type(error).__name__)
    else:
        answer(value)


def _post(url: str, event: Structure) -> object:
    """:raises OSError, ValueError: no answer in time, a refusal, or no JSON."""
    request = urllib.request.Request(
        url, json.dumps(event).encode(), {"Content-Type": "application/json"}, method="POST"
    )
    # The test's own server: no proxy is asked.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=URL_TIMEOUT) as response:
        return json.loads(response.read(MAX_ANSWER))


def _invoke(endpoints: Endpoints, arn: str, event: Structure) -> object:
    """:raises EndpointError, ValueError: it was refused, failed, or answered no JSON."""
    parsed = parse_arn(arn)
    region = parsed.region if parsed else ""
    response = endpoints.call(
        "lambda", region, "invoke", FunctionName=arn, Payload=json.dumps(event).encode()
    )
    text = response["Payload"].read(MAX_ANSWER)
    if "FunctionError" in response:
        raise ValueError(f"the function failed: {text.decode(errors='replace'):.500}")
    return json.loads(text)
