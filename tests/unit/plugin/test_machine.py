from __future__ import annotations

from pathlib import Path

import pytest

from pytest_kecs.machine import choose_engine
from pytest_kecs.machine import other_engines


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A docker beside a kind, both scripts and alone on PATH; it answers."""
    for name in ("kind", "docker"):
        (tmp_path / name).write_text("#!/bin/sh\nexit 0\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    return tmp_path / "docker"


def test_kind_is_not_offered_where_docker_was_asked_and_did_not_answer(docker: Path) -> None:
    docker.write_text("#!/bin/sh\nexit 1\n")
    assert choose_engine() == ("process", "auto: kind is installed, but docker does not answer")
    assert other_engines("process") == []

    docker.write_text("#!/bin/sh\nexit 0\n")
    assert choose_engine() == ("kind", "auto: kind is installed and docker answers")
    assert other_engines("process") == ["kind (kind and docker are installed)"]
    assert other_engines("kind") == ["process"]
