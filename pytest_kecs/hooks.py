"""The test's own functions as hooks of deployments: a thread asks for calls and answers them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

from pytest_kecs.admin import AdminClient
from pytest_kecs.errors import AdminError
from pytest_kecs.errors import ServerGone

Hook = Callable[[dict[str, Any]], Mapping[str, Any] | str]

WAIT_SECONDS = 60.0
"""How long one question for a call is held; then it is asked again."""

_log = logging.getLogger(__name__)


class Hooks:
    """Functions by the ARNs that they stand for. The thread ends with the test's realm."""

    def __init__(self, admin: AdminClient) -> None:
        self._admin = admin
        self._functions: dict[str, Hook] = {}
        self._realm: str | None = None

    def register(self, arn: str, function: Hook) -> None:
        """:raises AdminError: not the ARN of a Lambda function."""
        realm = self._admin.set_hook(arn, None)
        self._functions[arn] = function
        if realm != self._realm:
            self._realm = realm
            threading.Thread(
                target=self._serve, args=(realm,), name="kecs hooks", daemon=True
            ).start()

    def _serve(self, realm: str) -> None:
        try:
            while (call := self._admin.next_hook(realm, WAIT_SECONDS)) is not None:
                if call:
                    self._answer(call)
        except (AdminError, ServerGone) as error:
            # The run has ended, or the realm while an answer was on its way.
            _log.debug("no more hooks are answered: %s", error)

    def _answer(self, call: Mapping[str, Any]) -> None:
        """A function that raises has failed, as one in Lambda has."""
        try:
            answer = self._functions[call["arn"]](call["event"])
        except Exception as error:
            _log.exception("the hook %s failed", call["arn"])
            self._admin.answer_hook(call["id"], error=f"the function raised {error!r}")
            return
        status = {"hookStatus": answer} if isinstance(answer, str) else answer
        try:
            self._admin.answer_hook(call["id"], answer=status)
        except TypeError as error:
            self._admin.answer_hook(call["id"], error=f"its answer is no JSON: {error}")
