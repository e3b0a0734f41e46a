"""Holding the Describe calls of botocore's waiters until their answer has changed.

The plugin lowers the sleep between a waiter's polls to next to nothing; so that MaxAttempts still
means the time that it means on AWS, a poll is held here for as long as the client would have
slept, and answered the moment that something has changed. The first poll is answered at once,
unless it asks for a service at the instant at which its counts are right by chance.
"""

from __future__ import annotations

import math
import re
import threading
import time
from collections.abc import Callable
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from kecs_server.domain.service import ACTIVE
from kecs_server.domain.service import STEADY
from kecs_server.protocol.model import waiters_of
from kecs_server.state.realm import Realm

Structure = dict[str, Any]

FOLLOWS_WITHIN = 1.0
"""Seconds after an answer in which the same question counts as the same waiter's next poll."""

CLIENT_DELAY = 0.01
"""Seconds that the plugin lets a waiter sleep: what follows sooner is another waiter's question."""

SOONER = 0.05
"""What a question that follows sooner counts for. Not nothing: several waiters may ask at once."""

HURRIED = 10
"""Answers after which a waiter is not told of changes that end no waiter: each costs it one of its
attempts, which many tasks would use up in no time. A waiter of a user's own may want to know."""

_FEATURES = re.compile(r"(?:^|\s)m/(\S+)")
_WAITER = "B"


@dataclass(frozen=True, slots=True)
class _Answer:
    answer: Structure
    at: float
    repeated: float
    """How often the same answer was given before, to what may have been the same waiter."""
    hurried: float
    """How often what may have been the same waiter was answered since its first poll."""
    ended: frozenset[int]
    """Waiters of the operation that the answer ends."""
    others: frozenset[int]
    """Waiters of the operation that it cannot have been: they would not have asked once more."""


class _Asking:
    """Asks again after each change, but spends at most half of its time on that: what many tasks
    take to be described would otherwise slow down all that they do.
    """

    def __init__(self, realm: Realm, ask: Callable[[], Structure], deadline: float) -> None:
        self._realm = realm
        self._ask = ask
        self._deadline = deadline
        self._version = -1
        self._cost = 0.0

    def answer_unlike(self, is_useless: Callable[[Structure], bool]) -> Structure:
        """The first answer that is of use, or that of the deadline; rather than one at which a
        service is undecided, the last at which it was not.
        """
        answer = self._answer_now()
        decided = answer
        while is_useless(answer) and time.monotonic() < self._deadline and not self._realm.ended:
            asked = time.monotonic()
            self._realm.wait(self._version, self._deadline)
            time.sleep(max(0.0, asked + self._cost - time.monotonic()))
            answer = self._answer_now()
            decided = decided if _is_undecided(answer) else answer
        return decided

    def _answer_now(self) -> Structure:
        self._version = self._realm.wait(-1, 0.0)
        began = time.monotonic()
        answer = self._ask()
        self._cost = time.monotonic() - began
        return answer


class Holder:
    """Remembers the last answer to each question that a waiter asked."""

    def __init__(self) -> None:
        self._answers: dict[Hashable, _Answer] = {}
        self._lock = threading.Lock()

    def answer(
        self, question: Hashable, operation: str, realm: Realm, ask: Callable[[], Structure]
    ) -> Structure:
        """What `ask` answers, once that differs from the last answer to the same question, or
        the waiter's delay is over.

        A question whose answer would end one of the operation's waiters is held one repetition
        later: it may be another waiter's first. A service that runs as many tasks as it is to,
        and has not reached its steady state, is not shown before it has, or has lost a task: on
        AWS polls are too far apart to meet the instant at which tasks that exit at once all run.
        A waiter that has been answered `HURRIED` times is answered when it can end, or its delay
        is over; after an answer that is the first to end some waiter, a new one may be asking.
        """
        with self._lock:
            last = self._answers.get(question)
        now = time.monotonic()
        deadline = now + waiters_of(operation)[0].delay
        asking = _Asking(realm, ask, deadline)
        answer = asking.answer_unlike(_is_undecided)
        pause = math.inf if last is None else now - last.at
        is_next = pause < FOLLOWS_WITHIN
        patience = _patience(operation, answer)
        if last is not None and is_next and last.repeated >= patience:
            answer = asking.answer_unlike(lambda seen: seen == last.answer or _is_undecided(seen))
        if last is not None and is_next and last.hurried >= HURRIED:
            answer = asking.answer_unlike(
                lambda seen: _ended(operation, seen) <= last.others or _is_undecided(seen)
            )
        ended = _ended(operation, answer)
        repeated, hurried, others = 0.0, 0.0, frozenset[int]()
        if last is not None and is_next:
            counts_for = 1.0 if pause >= CLIENT_DELAY else SOONER
            if ended <= last.ended:
                hurried, others = last.hurried + counts_for, ended | last.others
            if answer == last.answer:
                repeated = last.repeated + counts_for
        given = _Answer(answer, time.monotonic(), repeated, hurried, ended, others)
        self._remember(question, given)
        return answer

    def _remember(self, question: Hashable, given: _Answer) -> None:
        with self._lock:
            if len(self._answers) > 1000:
                oldest = given.at - FOLLOWS_WITHIN
                self._answers = {q: a for q, a in self._answers.items() if a.at > oldest}
            self._answers[question] = given


def is_waiter(user_agent: str) -> bool:
    """Whether botocore says that a waiter makes the call (feature id B)."""
    features = _FEATURES.search(user_agent)
    return features is not None and _WAITER in features[1].split(",")


def _is_undecided(answer: Structure) -> bool:
    """Whether a service would end the waiter `services_stable` before its steady state."""
    return any(
        service["status"] == ACTIVE
        and len(service["deployments"]) == 1
        and service["runningCount"] == service["desiredCount"]
        and not any(event["message"].endswith(STEADY) for event in service["events"][:1])
        for service in answer.get("services", ())
    )


def _patience(operation: str, answer: Structure) -> float:
    """How often the answer is given at once before it is held: 0 if every waiter would ask
    again, 1 if some would and some would not, infinity if none would.
    """
    ended = len(_ended(operation, answer))
    if ended == len(waiters_of(operation)):
        return math.inf
    return 1.0 if ended else 0.0


def _ended(operation: str, answer: Structure) -> frozenset[int]:
    """Which of the operation's waiters the answer would end."""
    return frozenset(
        number
        for number, waiter in enumerate(waiters_of(operation))
        if any(acceptor.matcher_func(answer) for acceptor in waiter.acceptors)
    )
