"""Imports go one way: what stands later in the list may import what stands before it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVER = ROOT / "server" / "kecs_server"
PLUGIN = ROOT / "pytest_kecs"

ORDER = (
    "errors",
    "credentials",
    "settings",
    "domain",
    "state",
    "engines",
    "network",
    "scheduler",
    "operations",
    "protocol",
    "events",
    "event_pages",
    "aws",
    "traffic",
    "lifetime",
    "environment",
    "task_logs",
    "report",
    "recording",
    "page",
    "metadata",
    "ui",
    "admin",
    "app",
    "prune",
    "serving",
    "__main__",
)
PRUNING = "prune"
"""Imported by the plugin too; needs the engines' ways of finding what was left, and no more."""

FOR_THE_PLUGIN = {
    "kecs_server.credentials",
    "kecs_server.settings",
    "kecs_server.page",
    "kecs_server.prune",
}
REAPING = {"kecs_server.engines.kubernetes.reap", "kecs_server.engines.base"}
"""What `kecs prune --kubeconfig` imports, when it runs: the search, and the error it raises."""


def modules(package: Path) -> list[Path]:
    return sorted(package.rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def part_of(path: Path) -> str:
    return path.relative_to(SERVER).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", modules(SERVER), ids=lambda path: str(path.relative_to(SERVER)))
def test_the_server_imports_downwards(path: Path) -> None:
    if path == SERVER / "__init__.py":
        return
    part = part_of(path)
    allowed = {"engines"} if part == PRUNING else set(ORDER[: ORDER.index(part) + 1])
    used = {
        name.split(".")[1]
        for name in imported(path)
        if name.startswith("kecs_server.") and name.count(".") >= 1
    }
    assert used <= allowed


@pytest.mark.parametrize("path", modules(SERVER), ids=lambda path: str(path.relative_to(SERVER)))
def test_the_server_knows_nothing_of_pytest(path: Path) -> None:
    roots = {name.split(".")[0] for name in imported(path)}
    assert not roots & {"pytest", "pytest_kecs", "moto"}
    assert "kubernetes" not in roots or path == SERVER / "engines" / "kubernetes" / "api.py"


@pytest.mark.parametrize("path", modules(PLUGIN), ids=lambda path: str(path.relative_to(PLUGIN)))
def test_the_plugin_talks_to_the_server_over_http(path: Path) -> None:
    used = {name for name in imported(path) if name.startswith("kecs_server")}
    allowed = FOR_THE_PLUGIN | REAPING if path.name.startswith("cli") else FOR_THE_PLUGIN
    assert {
        name for name in used if name not in allowed and name.rpartition(".")[0] not in allowed
    } <= {"kecs_server"}


def test_domain_has_no_clock_and_no_lock() -> None:
    for path in modules(SERVER / "domain"):
        roots = {name.split(".")[0] for name in imported(path)}
        assert not roots & {"time", "threading", "subprocess", "socket", "os"}, path


def test_the_command_imports_engines_only_when_it_needs_them() -> None:
    for path in modules(PLUGIN):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        at_import = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
        names = {node.module or "" for node in at_import}
        assert not {name for name in names if name.startswith("kecs_server.engines")}, path
        assert "kecs_server.prune" not in names, path
