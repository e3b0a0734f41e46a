"""Taking turns: every round measures each subject once, and the next one begins with another."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping

from benchmarks.figures import Figure

Measurement = Callable[[], Mapping[str, float]]
"""Does the thing once; what was measured of it, by name, in milliseconds or MiB."""


def interleaved(
    subjects: Mapping[str, Measurement], rounds: int, *, discarded: int = 1
) -> dict[str, dict[str, Figure]]:
    """The figures of each subject over `rounds` rounds.

    :param discarded: rounds before those, in which caches fill and connections are made.
    """
    samples: dict[str, dict[str, list[float]]] = {subject: {} for subject in subjects}
    names = list(subjects)
    for number in range(discarded + rounds):
        turn = number % len(names)
        for subject in names[turn:] + names[:turn]:
            for name, value in subjects[subject]().items():
                if number >= discarded:
                    samples[subject].setdefault(name, []).append(value)
    return {
        subject: {name: Figure.of(values) for name, values in measured.items()}
        for subject, measured in samples.items()
    }
