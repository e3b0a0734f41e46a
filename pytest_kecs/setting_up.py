"""What a test says of the world around its tasks: images, secrets, alarms, hooks, time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING
from typing import Any
from typing import Literal

from pytest_kecs.load_balancer import LoadBalancer

if TYPE_CHECKING:
    from pytest_kecs.admin import AdminClient
    from pytest_kecs.hooks import Hook
    from pytest_kecs.hooks import Hooks

__tracebackhide__ = True  # as in `kecs`


class SetUpMethods:
    """What `kecs` offers to set up; it counts from then on, in the test's environment alone."""

    _admin: AdminClient
    _hooks: Hooks

    def map_image(
        self,
        pattern: str,
        stand_in: str | list[str] | None = None,
        *,
        entrypoint: list[str] | None = None,
        command: list[str] | None = None,
        environment: Mapping[str, str] | None = None,
        working_directory: str | None = None,
        image: str | None = None,
        pull_error: str | None = None,
    ) -> None:
        """Say what images that match `pattern` (as in fnmatch) stand for, from now on.

        `stand_in` is what runs when the definition gives no command. Else any of: the image's
        `entrypoint`, `command`, `environment` and `working_directory`; another `image` to run
        on Kubernetes; a `pull_error` with which pulls fail.
        """
        parts = {
            "entrypoint": entrypoint,
            "command": command,
            "environment": environment,
            "working_directory": working_directory,
            "image": image,
            "pull_error": pull_error,
        }
        given = {name: value for name, value in parts.items() if value is not None}
        if (stand_in is None) == (not given):
            raise ValueError(
                "give map_image either a stand_in (a command) or named parts: " + ", ".join(parts)
            )
        self._admin.map_image(pattern, given if stand_in is None else stand_in)

    def set_secret(
        self,
        name: str,
        value: str | bytes | Mapping[str, Any],
        *,
        stage: str | None = None,
        version: str | None = None,
    ) -> None:
        """Say what a secret or parameter is that task definitions refer to, from now on.

        `name` is a name, which counts for Secrets Manager and SSM alike, or an ARN, with or
        without its random suffix. A mapping becomes JSON, for references with a json-key. Each
        call adds a version: it is the current one unless `stage` names another stage, and its id
        is the next number unless `version` is given.

        :raises ValueError: bytes that are no text, which ECS has no variables for.
        :raises TypeError: the value is none of these.
        :raises AdminError: a value with a NUL or of more than 65536 bytes, or a wrong name.
        """
        self._admin.set_secret(name, _secret_text(value), stage=stage, version=version)

    def put_env_file(self, arn: str, text: str) -> None:
        """Say what an environment file contains, by the ARN of its S3 object."""
        self._admin.put_env_file(arn, text)

    def set_alarm(self, name: str, state: Literal["OK", "ALARM", "INSUFFICIENT_DATA"]) -> None:
        """Put a CloudWatch alarm into a state. Deployments that watch it fail when it goes into
        ALARM, and pay no heed to one that was there when they began.

        :raises AdminError: no such state, or no name.
        """
        self._admin.set_alarm(name, state)

    def set_registry(self, arn: str, name: str) -> None:
        """Say under which name (`db.internal`) tasks find the services whose `serviceRegistries`
        have the ARN of this service of Cloud Map; tasks that start from now on.

        :raises AdminError: no such ARN, or a name that no host has.
        """
        self._admin.set_registry(arn, name)

    def on_hook(self, arn: str, answer: Hook | str) -> None:
        """Say who answers when a deployment calls the Lambda function of this ARN at a stage: a
        function of the test, which gets the event and returns `SUCCEEDED`, `FAILED`, `IN_PROGRESS`
        or a mapping (`hookStatus`, `callBackDelay` in seconds); or a URL, to which the event is
        posted and which answers with such a mapping as JSON. The function is called in a thread.

        :raises AdminError: not the ARN of a Lambda function, or no URL.
        """
        if isinstance(answer, str):
            self._admin.set_hook(arn, answer)
        else:
            self._hooks.register(arn, answer)

    def load_balancer(self, arn: str, *, test: bool = False) -> LoadBalancer:
        """The load balancer that forwards to a target group of a service, or by a listener rule.

        A service whose traffic is shifted has one for the two target groups of each of its
        load balancers, and the weights of its deployment.

        :param arn: of a target group, or of a production or test listener rule.
        :param test: the listener of test traffic.
        """
        return LoadBalancer(self._admin, arn, test=test)

    def set_target_group(self, arn: str, **settings: Any) -> None:
        """Change settings of a target group from now on; those not given stay.

        `protocol`: HTTP or TCP. `deregistration_delay`: seconds that requests have to end. Health
        checks: `path` (None: whether a connection is accepted), `matcher` ("200-299"), `interval`
        and `timeout` in seconds, `healthy_threshold`, `unhealthy_threshold`.

        :raises AdminError: no target group's ARN, no such setting, or no such value.
        """
        self._admin.configure_target_group(arn, settings)

    def advance_clock(
        self, seconds: float = 0, *, minutes: float = 0, hours: float = 0, days: float = 0
    ) -> None:
        """Let time pass for everything in the test's environment that waits for a moment; what is
        given adds up. With the marker's `clock="manual"` no time passes but this.

        :raises AdminError: back, or beyond the year 9000.
        """
        self._admin.advance_clock(seconds + 60 * minutes + 3600 * hours + 86400 * days)


def _secret_text(value: Any) -> str:
    if isinstance(value, Mapping):
        return json.dumps(dict(value))
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode()
    what = type(value).__name__
    raise TypeError(f"the value of a secret is a text, bytes or a mapping, not of type {what}")
