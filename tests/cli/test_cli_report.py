"""`kecs report` and `kecs ui`."""

from __future__ import annotations

import json
import re
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from pytest_kecs import cli
from pytest_kecs import recording_files
from pytest_kecs.recording_files import Recorded


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Recordings of two tests, one of which has no page."""
    root = tmp_path / "art"
    for number in range(2):
        test = {
            "nodeid": f"test_a.py::test_{number}[<b>]",
            "outcome": "failed",
            "message": "it broke <i>\nhere",
            "attempt": 1,
            "run": "1",
        }
        recording = {"tasks": [], "services": [], "definitions": {}, "entries": []}
        folder, _ = recording_files.save(root, Recorded(test=test, recording=recording, logs={}))
        assert folder is not None
    (folder / "index.html").unlink()
    return root


def test_pages_are_made_anew_and_listed(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["report", str(root)]) == 0
    assert capsys.readouterr().out == f"{root / 'index.html'}\n"
    text = (root / "index.html").read_text()
    links = re.findall(r'href="([^"]+)"', text)
    assert len(links) == 2
    assert all((root / link).is_file() for link in links)
    assert "test_a.py::test_0[&lt;b&gt;]" in text
    assert "it broke &lt;i&gt;" in text
    # Again, with the list itself in the folder; and of one test alone.
    assert cli.main(["report", str(root)]) == 0
    folder = (root / links[0]).parent
    assert cli.main(["report", str(folder)]) == 0
    assert capsys.readouterr().out.endswith(f"{folder / 'index.html'}\n")


def test_what_cannot_be_read_is_told_and_the_rest_is_there(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    [first, _] = recording_files.find(root)
    (first / "recording.jsonl").write_text("{")
    assert cli.main(["report", str(root)]) == 1
    shown = capsys.readouterr()
    assert f"kecs: {first} has no recording that can be read" in shown.err
    assert shown.out == f"{root / 'index.html'}\n"


@pytest.mark.parametrize(
    ("make", "status", "text"),
    [(None, 2, "there is no folder"), (Path.mkdir, 1, "has no recordings; --kecs-artifacts=")],
)
def test_folders_without_recordings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], make: Any, status: int, text: str
) -> None:
    folder = tmp_path / "none"
    if make is not None:
        make(folder)
    assert cli.main(["report", str(folder)]) == status
    assert text in capsys.readouterr().err


def test_addresses_of_a_running_environment(kecs: Any) -> None:
    with kecs.serve() as served:
        printed = re.findall(r"^  (http://\S+/_kecs/ui\?token=\S+)$", served.announcement, re.M)
        another = kecs("ui", served.name)
        assert another.returncode == 0, another.stderr
        for url in [*printed, another.stdout.strip()]:
            with urllib.request.urlopen(url, timeout=30) as response:
                assert response.headers.get_content_type() in ("text/html", "text/plain")
        record = json.loads((kecs.home / served.name / "environment.json").read_text())
        assert len(printed) == 1
        assert record["run_secret"] not in served.announcement
    wrong = kecs("ui", "kecs-none")
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert "kecs-none" in wrong.stderr
