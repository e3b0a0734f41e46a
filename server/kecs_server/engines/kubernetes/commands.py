"""Command line tools by subprocess, with errors that say what ran and what it answered."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from tempfile import TemporaryFile
from threading import Event
from threading import Lock
from threading import Timer

from kecs_server.engines.base import EngineError


class CommandError(EngineError):
    """A tool failed. `exit_code` is None when it did not end by itself (timeout, cancelled)."""

    def __init__(
        self, what: str, *, command: Sequence[str], exit_code: int | None, stderr: str
    ) -> None:
        self.what = what
        self.command = tuple(command)
        self.exit_code = exit_code
        self.stderr = stderr
        super().__init__(f"{what}\ncommand: {' '.join(command)}{_answer(exit_code, stderr)}")


class ToolMissing(EngineError):
    """A tool that the engine needs is not installed."""

    def __init__(self, tool: str, advice: str) -> None:
        self.tool = tool
        super().__init__(f"`{tool}` was not found on PATH ({os.environ.get('PATH', '')}). {advice}")


def require(tool: str, advice: str) -> str:
    """Where `tool` is.

    :raises ToolMissing: nowhere on PATH.
    """
    path = shutil.which(tool)
    if path is None:
        raise ToolMissing(tool, advice)
    return path


def run(command: Sequence[str], *, what: str, timeout: float) -> bytes:
    """Run to the end and return standard output. `what` begins the error's text.

    :raises CommandError: it failed, could not be run or took longer than `timeout` seconds.
    """
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        text = f"no answer within {timeout:g} seconds\n{_text(error.stderr)}"
        raise CommandError(what, command=command, exit_code=None, stderr=text.strip()) from None
    except OSError as error:
        raise CommandError(what, command=command, exit_code=None, stderr=str(error)) from None
    if done.returncode:
        raise CommandError(
            what, command=command, exit_code=done.returncode, stderr=_text(done.stderr)
        )
    return done.stdout


class Output:
    """What a tool writes, piece by piece as it comes. It has nothing to read, and sees the end of
    file when it is no longer wanted.

    :raises CommandError: it could not be run.
    """

    def __init__(self, command: Sequence[str], *, what: str) -> None:
        self._command = tuple(command)
        self._what = what
        self._is_wanted = True
        self._errors = TemporaryFile()  # noqa: SIM115 (closed when it was read)
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors
            )
        except OSError as error:
            self._errors.close()
            raise CommandError(what, command=command, exit_code=None, stderr=str(error)) from None

    def read(self, timeout: float | None) -> Iterator[bytes]:
        """To be called once, and read to the end.

        :raises CommandError: it failed while it was wanted, or took more than `timeout` seconds.
        """
        stdout = self._process.stdout
        assert stdout is not None
        late = Event()

        def give_up() -> None:
            late.set()
            self._process.kill()

        timer = Timer(timeout or 0.0, give_up)
        timer.daemon = True
        if timeout is not None:
            timer.start()
        try:
            while data := stdout.read1(1 << 16):  # type: ignore[attr-defined]
                yield data
        finally:
            exit_code = self._process.wait()
            timer.cancel()
            self._close_stdin()
            stdout.close()
            with self._errors as errors:
                errors.seek(0)
                text = _text(errors.read())
        if late.is_set():
            text = f"no answer within {timeout:g} seconds\n{text}".strip()
            raise CommandError(self._what, command=self._command, exit_code=None, stderr=text)
        if exit_code and self._is_wanted:
            raise CommandError(self._what, command=self._command, exit_code=exit_code, stderr=text)

    def close(self) -> None:
        """Have it end soon; what it writes till then is still read. Thread-safe."""
        self._is_wanted = False
        self._close_stdin()

    def kill(self) -> None:
        self._is_wanted = False
        self._process.kill()

    def _close_stdin(self) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()


class LongCommand:
    """A tool that takes minutes and reports progress on standard error, and can be cancelled."""

    def __init__(self, command: Sequence[str], *, what: str) -> None:
        self._command = tuple(command)
        self._what = what
        self._lock = Lock()
        self._cancelled = Event()
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, on_line: Callable[[str], None], timeout: float) -> None:
        """Run to the end, handing over each line as it comes.

        :raises CommandError: it failed, was cancelled, or took longer than `timeout` seconds.
        """
        process = self._start()
        late = Event()

        def give_up() -> None:
            late.set()
            _kill_group(process)

        timer = Timer(timeout, give_up)
        timer.daemon = True
        timer.start()
        lines = []
        try:
            assert process.stderr is not None
            with process.stderr:
                for raw in process.stderr:
                    lines.append(_text(raw))
                    on_line(lines[-1])
        finally:
            timer.cancel()
            exit_code = self._end(process)
        if late.is_set():
            lines.append(f"gave up after {timeout:g} seconds")
        if self._cancelled.is_set():
            lines.append("cancelled")
        if exit_code or self._cancelled.is_set():
            ended = None if late.is_set() or self._cancelled.is_set() else exit_code
            raise self._error(ended, "\n".join(lines))

    def cancel(self) -> None:
        """Kill it and what it started; a later `run` fails at once. Thread-safe."""
        with self._lock:
            self._cancelled.set()
            if self._process is not None:
                _kill_group(self._process)

    def _start(self) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._cancelled.is_set():
                raise self._error(None, "cancelled")
            try:
                self._process = subprocess.Popen(
                    self._command,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    start_new_session=True,
                )
            except OSError as error:
                raise self._error(None, str(error)) from None
            return self._process

    def _end(self, process: subprocess.Popen[bytes]) -> int:
        """Reap it; when its lines were not read to the end, it is killed first."""
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            _kill_group(process)
            process.wait()
        with self._lock:
            self._process = None
        return process.returncode

    def _error(self, exit_code: int | None, stderr: str) -> CommandError:
        return CommandError(self._what, command=self._command, exit_code=exit_code, stderr=stderr)


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _answer(exit_code: int | None, stderr: str) -> str:
    code = "" if exit_code is None else f"\nexit code: {exit_code}"
    return f"{code}\n{stderr}".rstrip()


def _text(data: bytes | None) -> str:
    return (data or b"").decode(errors="replace").strip()
