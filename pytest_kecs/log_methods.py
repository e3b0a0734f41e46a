"""What containers wrote, and the wait for a line."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
from typing import Literal
from typing import overload

from pytest_kecs.assertions import Text
from pytest_kecs.assertions import has
from pytest_kecs.assertions import shown
from pytest_kecs.logs import LogLine
from pytest_kecs.logs import LogQuery
from pytest_kecs.logs import Since
from pytest_kecs.logs import collect
from pytest_kecs.logs import follow_lines
from pytest_kecs.logs import last_lines
from pytest_kecs.references import TaskReference
from pytest_kecs.references import task_located
from pytest_kecs.task_methods import TASK_SECONDS
from pytest_kecs.task_methods import TaskMethods
from pytest_kecs.waiting import WaitError
from pytest_kecs.waiting import WaitTimeout

__tracebackhide__ = True  # as in `kecs`

_LINES_SEARCHED = 1000
"""Of each container, for what comes near."""


class LogMethods(TaskMethods):
    """What `kecs` offers of logs."""

    @overload
    def logs(
        self,
        task: TaskReference,
        container: str | None = None,
        stream: str | None = None,
        *,
        follow: Literal[True],
        since: Since | None = None,
        tail: int | None = None,
    ) -> Iterator[LogLine]: ...

    @overload
    def logs(
        self,
        task: TaskReference,
        container: str | None = None,
        stream: str | None = None,
        *,
        follow: Literal[False] = False,
        since: Since | None = None,
        tail: int | None = None,
        timestamps: bool = False,
    ) -> str: ...

    def logs(
        self,
        task: TaskReference,
        container: str | None = None,
        stream: str | None = None,
        *,
        follow: bool = False,
        since: Since | None = None,
        tail: int | None = None,
        timestamps: bool = False,
    ) -> str | Iterator[LogLine]:
        """What the task's containers wrote so far, stdout before stderr, container after container;
        of one container, and of one stream (`stdout` or `stderr`), if asked for.

        :param follow: give lines of all containers as they come, in the order of time, until the
            task has stopped, or the one container that is named.
        :param since: only what was written at this moment or later: a datetime, seconds as
            `time.time()` gives them, or a timedelta for so long before now.
        :param tail: only the last lines of each container.
        :param timestamps: begin each line with the time at which it was written.
        """
        query = LogQuery(
            task=task_located(task, None)[0],
            container=container,
            stream=stream,
            since=since,
            tail=tail,
        )
        if follow:
            return follow_lines(self._admin, query)
        logs = collect(self._admin, query, timestamps=timestamps)
        return "".join(text for streams in logs.values() for text in streams.values())

    def assert_log(
        self,
        task: TaskReference,
        text: Text,
        container: str | None = None,
        stream: str | None = None,
        *,
        timeout: float = TASK_SECONDS,
        cluster: str | None = None,
    ) -> LogLine:
        """Assert that the task has written a line with this text, or does so; any of its
        containers, or the one that is named, to `stdout` or `stderr` if only one is meant. It fails
        as soon as they have stopped.

        :param text: a part of the line, or a compiled pattern that is found in it.
        :raises ValueError: the text has a line end, or there is no such stream.
        :raises AdminError: no such task or container.
        """
        if isinstance(text, str) and "\n" in text:
            raise ValueError(f"a line of a log has no line end in it, as {text!r} has")
        arn, _ = task_located(task, cluster)
        query = LogQuery(task=arn, container=container, stream=stream)
        has_ended = False
        for page in query.pages(self._admin, follow=True, timeout=timeout):
            for line in page.lines:
                if has(text, line.text):
                    return line
            has_ended = page.ended
        seen = self.describe(task, cluster=cluster)
        where = f" in {container}" * (container is not None) + f" to {stream}" * bool(stream)
        until = "before it stopped" if has_ended else f"within {timeout:g} s"
        what = f"did not write {shown(text)}{where} {until}"
        kind = WaitError if has_ended else WaitTimeout
        raise self._stories.of_task(kind, seen, what, self._nearest(arn, text))

    def _nearest(self, task: str, text: Text) -> Sequence[str]:
        """Where else the line is, or one that differs in case alone."""
        lines = last_lines(self._admin, LogQuery(task=task, tail=_LINES_SEARCHED))
        for line in lines:
            if has(text, line.text):
                return [f"the container {line.container} wrote it to {line.stream}"]
        for line in lines:
            if isinstance(text, str) and text.casefold() in line.text.casefold():
                return [f"but for upper and lower case, {line.container} wrote it to {line.stream}"]
        return []
