"""A run without ECS tests pays for the import of a small plugin, and for nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from inner_runs import Processes
from inner_runs import run

NOT_IMPORTED = """
    import sys

    HEAVY = {"boto3", "botocore", "flask", "werkzeug", "kubernetes", "requests"}

    def test_nothing_heavy_is_imported():
        assert sorted(HEAVY & set(sys.modules)) == []
"""


def test_heavy_modules_are_not_imported(inner: pytest.Pytester) -> None:
    inner.makepyfile(NOT_IMPORTED)
    run(inner).assert_outcomes(passed=1)
    run(inner, "-n1").assert_outcomes(passed=1)


def test_no_server_is_started(inner: pytest.Pytester, processes: Processes, home: Path) -> None:
    inner.makepyfile(
        """
        import os
        from pathlib import Path

        def test_no_server_was_started():
            assert list(Path(os.environ["KECS_HOME"]).glob("*/server.log")) == []
        """
    )
    run(inner).assert_outcomes(passed=1)
    assert list(home.iterdir()) == []


def test_collecting_starts_no_server(inner: pytest.Pytester, home: Path) -> None:
    inner.makeconftest(
        """
        import os
        from pathlib import Path

        def pytest_sessionfinish():
            assert list(Path(os.environ["KECS_HOME"]).glob("*/server.log")) == []
        """
    )
    inner.makepyfile("import pytest\n@pytest.mark.kecs(engine='kind')\ndef test_it(): pass")
    assert run(inner, "--collect-only").ret == 0
    assert list(home.iterdir()) == []


def test_importing_the_plugin_imports_little() -> None:
    """How long that takes is measured in `benchmarks`."""
    script = (
        "import sys, pytest, _pytest.config, _pytest.terminal, _pytest.logging\n"
        "before = set(sys.modules)\n"
        "import pytest_kecs.plugin\n"
        "print(*{name.split('.')[0] for name in set(sys.modules) - before})\n"
        "print(*(name for name in sys.modules if name.startswith('kecs_server.')))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    packages, server = done.stdout.decode().splitlines()
    foreign = set(packages.split()) - sys.stdlib_module_names - {"_pytest"}
    assert foreign == {"pytest_kecs", "kecs_server"}
    assert server == "kecs_server.credentials"
