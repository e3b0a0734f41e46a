"""How much is measured."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Rounds of each kind of measurement, and a folder that the run may write to.

    starts: of servers. runs: of pytest. suites: of whole suites with `suite_tests` tests.
    calls: of API calls. tasks: of processes. pods: of Pods. chains: of a dependsOn chain.
    crowds: of `crowd` tasks at once. long_tasks: that run while the server's memory is read.
    services: that are planned. many: tasks and task definitions beside which a page is asked for.
    """

    directory: Path
    starts: int = 15
    runs: int = 20
    suites: int = 5
    suite_tests: int = 200
    calls: int = 300
    tasks: int = 40
    pods: int = 8
    chains: int = 20
    crowds: int = 5
    crowd: int = 200
    long_tasks: int = 1000
    services: int = 1000
    many: int = 10_000

    @classmethod
    def quick(cls, directory: Path) -> Plan:
        """So little that the figures mean nothing; shows that everything works."""
        return cls(
            directory=directory,
            starts=2,
            runs=2,
            suites=1,
            suite_tests=20,
            calls=20,
            tasks=3,
            pods=1,
            chains=1,
            crowds=1,
            crowd=10,
            long_tasks=20,
            services=20,
            many=1000,
        )
