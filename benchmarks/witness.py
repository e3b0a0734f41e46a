"""Says when a command did something: a process of its own, which has nothing else to do.

The command writes a word to a FIFO; the witness, a program without a busy interpreter lock, notes
the time when it wakes up. It is a tenth of a millisecond late, for every command alike.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.errors import BenchmarkError
from benchmarks.lines import Lines

_SECONDS = 30.0


class Witness:
    """Hears what is written to `fifo`."""

    def __init__(self, fifo: Path, lines: Lines) -> None:
        self.fifo = fifo
        self._lines = lines

    def saw(self, word: str) -> float:
        """When `word`, the next that is written, was: seconds of `time.perf_counter`.

        :raises BenchmarkError: it is not written within half a minute.
        """
        said, at = self._lines.next(f"the word {word!r}", _SECONDS).split()
        if said != word:
            raise BenchmarkError(f"a command wrote {said!r} instead of {word!r}")
        return int(at) / 1e9


@contextmanager
def witness(directory: Path) -> Iterator[Witness]:
    """A witness with a FIFO in `directory`; on leaving it has ended."""
    fifo = directory / "witness"
    os.mkfifo(fifo)
    command = [sys.executable, "-m", "benchmarks.witness", str(fifo)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, bufsize=0) as process:
        try:
            lines = Lines(process)
            lines.next("the witness", _SECONDS)
            yield Witness(fifo, lines)
        finally:
            process.kill()


def main() -> None:
    """Listen until standard input ends; Ctrl-C is for the program that asked."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # For reading and writing: the FIFO never ends, and no writer has to wait for a reader.
    fifo = os.open(sys.argv[1], os.O_RDWR)
    print("ready", flush=True)
    while True:
        readable, _, _ = select.select([fifo, sys.stdin], [], [])
        at = time.perf_counter_ns()
        if fifo not in readable:
            return
        for word in os.read(fifo, 4096).split():
            print(word.decode(), at, flush=True)


if __name__ == "__main__":
    main()
