"""Recordings as folders: names, files, what other runs left, what cannot be written."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from pytest_kecs import recording_files
from pytest_kecs.recording_files import NoRecording
from pytest_kecs.recording_files import Recorded
from pytest_kecs.recording_files import folder_name

TASK = "0123456789abcdef0123456789abcdef"
ARN = "arn:aws:ecs:us-east-1:123456789012:task-definition/worker:1"
NODE = "test_a.py::test_it"


def recorded(
    nodeid: str = NODE, run: str = "r1", log: str = "said this", outcome: str = "failed"
) -> Recorded:
    return Recorded(
        test={
            "nodeid": nodeid,
            "outcome": outcome,
            "message": "it broke",
            "attempt": 1,
            "process": "main",
            "run": run,
        },
        recording={
            "realm": "1",
            "name": nodeid,
            "engine": "process",
            "now": 1001.0,
            "version": 3,
            "advances": [],
            "next": 2,
            "dropped": 0,
            "tasks": [{"id": TASK, "definition": ARN, "created": 1000.0, "containers": []}],
            "services": [],
            "definitions": {ARN: {"family": "worker", "revision": 1}},
            "entries": [
                {"at": 1000.0, "kind": "call", "operation": "RunTask", "input": {"x": "\ud800"}},
                {"at": 1000.5, "kind": "task", "subject": TASK, "text": "RUNNING"},
            ],
        },
        logs={TASK: {"app": {"lines": [[1000.25, "stdout", log]], "skipped": 7}}},
    )


def saved(root: Path, item: Recorded) -> Path:
    folder, problem = recording_files.save(root, item)
    assert problem is None
    assert folder is not None
    return folder


def test_files_for_people_and_programs(tmp_path: Path) -> None:
    folder = saved(tmp_path / "new" / "art", recorded())
    assert folder == tmp_path / "new" / "art" / "test_a.py-test_it"
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert names == {
        "index.html",
        "recording.jsonl",
        "test.json",
        "task-definitions/worker-1.json",
        "logs/worker-1-01234567-app.log",
    }
    first, second = map(json.loads, (folder / "recording.jsonl").read_text().splitlines())
    assert (first["time"], first["operation"]) == ("1970-01-01T00:16:40.000+00:00", "RunTask")
    assert second["text"] == "RUNNING"
    assert (folder / "logs/worker-1-01234567-app.log").read_text() == (
        "[kecs: 7 bytes came before this]\n1970-01-01T00:16:40.250000+00:00 stdout said this\n"
    )
    assert list(folder.parent.iterdir()) == [folder]


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    before = recorded(log="strange \x0b\r\u2028 and ü and more ")
    folder = saved(tmp_path, before)
    after = recording_files.load(folder)
    assert after.logs == before.logs
    for entry in after.recording["entries"]:
        del entry["time"]
    assert after.recording == before.recording
    assert after.test == before.test
    page = (folder / "index.html").read_text()
    (folder / "index.html").unlink()
    recording_files.write_page(folder)
    assert len((folder / "index.html").read_text()) > 0.9 * len(page)


def test_texts_cannot_become_markup(tmp_path: Path) -> None:
    evil = "</script><script>alert(1)</script><!-- &lt; \u2028"
    folder = saved(tmp_path, recorded(nodeid=f"test_a.py::test[{evil}]", log=evil))
    page = (folder / "index.html").read_text()
    assert page.count("<script") == 2
    assert "alert(1)</script>" not in page
    assert page.count("<!--") == 0
    data = page.partition('id="data">')[2].partition("</script>")[0]
    assert json.loads(data)["logs"][TASK]["app"]["lines"][0][2] == evil
    policy = page.partition('http-equiv="Content-Security-Policy" content="')[2].partition('"')[0]
    assert "default-src" in policy
    assert "unsafe" not in policy
    assert "connect-src" not in policy


def test_logs_on_the_page_are_limited_and_whole_in_their_files(tmp_path: Path) -> None:
    item = recorded()
    lines = [[1000.0 + n, "stdout", f"line {n} " + "x" * 90] for n in range(5000)]
    long = [[1000.0, "stderr", "y" * 1_000_000]]
    item.logs[TASK] = {
        "app": {"lines": lines, "skipped": 0},
        "long": {"lines": long, "skipped": 0},
    }
    folder = saved(tmp_path, item)
    page = (folder / "index.html").read_text()
    assert len(page) < 300_000
    assert "line 4999 " in page
    assert "line 0 " not in page
    assert "line 0 " in (folder / "logs/worker-1-01234567-app.log").read_text()
    data = json.loads(page.partition('id="data">')[2].partition("</script>")[0])
    assert data["logs"][TASK]["app"]["skipped"] > 400_000
    assert len(data["logs"][TASK]["long"]["lines"][0][2]) < 50_000


def test_logs_on_the_page_are_limited_together(tmp_path: Path) -> None:
    item = recorded()
    long = [[1000.0, "stdout", "short"], [1000.0, "stdout", "y" * 100_000]]
    item.logs[TASK] = {f"c{n}": {"lines": long, "skipped": 0} for n in range(200)}
    folder = saved(tmp_path, item)
    assert len((folder / "index.html").read_text()) < 9_000_000
    data = json.loads(
        (folder / "index.html").read_text().partition('id="data">')[2].partition("</script>")[0]
    )
    assert len(data["logs"][TASK]["c0"]["lines"][0][2]) == 48 * 1024
    assert data["logs"][TASK]["c199"] == {"lines": [], "skipped": 100_005}


@pytest.mark.parametrize(
    ("nodeid", "name"),
    [
        ("test_a.py::test_it", "test_a.py-test_it"),
        ("tests/unit/test_a.py::TestX::test_it", "tests-unit-test_a.py-TestX-test_it"),
    ],
)
def test_plain_names_stay_readable(nodeid: str, name: str) -> None:
    assert folder_name(nodeid) == name


def test_other_names_are_safe_and_differ(tmp_path: Path) -> None:
    nodeids = [
        f"test_a.py::test_it[{part}]"
        for part in ("a/b", "a-b", "../../etc", "ü", "é", "日本", "x" * 300, "x" * 301, "\ud800")
    ] + ["..", "/", "::", "test_a.py::test_it[NUL\0]"]
    names = [folder_name(nodeid) for nodeid in nodeids]
    assert len(set(names)) == len(nodeids)
    for name in names:
        assert name.isascii()
        assert len(name) < 140
        assert not name.startswith(".")
        assert (tmp_path / name).parent == tmp_path
    for nodeid in nodeids:
        assert saved(tmp_path, recorded(nodeid=nodeid)).is_dir()


def test_attempts_of_a_run_are_all_kept_and_those_of_earlier_runs_make_place(
    tmp_path: Path,
) -> None:
    for run in ("r1", "r2"):
        folders = [saved(tmp_path, recorded(run=run, log=f"{run} {n}")) for n in range(3)]
        assert [folder.name for folder in folders] == [
            "test_a.py-test_it",
            "test_a.py-test_it-2",
            "test_a.py-test_it-3",
        ]
    last = saved(tmp_path, recorded(run="r3"))
    assert list(tmp_path.iterdir()) == [last]
    recording_files.discard(tmp_path, NODE, "r3")
    assert list(tmp_path.iterdir()) == [last]
    recording_files.discard(tmp_path, NODE, "r4")
    assert list(tmp_path.iterdir()) == []
    recording_files.discard(tmp_path / "none", NODE, "r4")


@pytest.mark.parametrize("is_file", [False, True])
def test_what_is_not_ours_is_left_alone(tmp_path: Path, is_file: bool) -> None:  # noqa: FBT001
    foreign = tmp_path / "test_a.py-test_it"
    if is_file:
        foreign.write_text("mine")
    else:
        foreign.mkdir()
        (foreign / "test.json").write_text("[]")
    assert saved(tmp_path, recorded()).name == "test_a.py-test_it-2"
    assert foreign.exists()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    folder, problem = recording_files.save(tmp_path / "file" / "art", recorded())
    assert folder is None
    assert problem is not None
    assert "Not a directory" in problem
    assert str(tmp_path / "file") in problem


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_must_not_be_written_to_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    folder, problem = recording_files.save(tmp_path, recorded())
    tmp_path.chmod(0o700)
    assert folder is None
    assert problem is not None
    assert "Permission denied" in problem


@pytest.mark.parametrize(
    ("room", "kept"),
    [(0, None), (1, {"recording.jsonl"}), (2, {"recording.jsonl", "test.json"})],
)
def test_what_fits_on_a_full_disk_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int, kept: set[str] | None
) -> None:
    written: list[Path] = []
    write = recording_files._text

    def full(path: Path, text: str) -> None:
        if len(written) >= room:
            path.write_text(text[: 100 if room else 0])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        written.append(path)
        write(path, text)

    monkeypatch.setattr(recording_files, "_text", full)
    folder, problem = recording_files.save(tmp_path, recorded())
    assert problem is not None
    assert "No space left on device" in problem
    if kept is None:
        assert folder is None
        assert list(tmp_path.iterdir()) == []
    else:
        assert folder is not None
        # The beginning of what did not fit is there too, but for a page's, which shows nothing.
        names = {path.name for path in folder.iterdir()}
        assert names == kept | ({"test.json"} if room == 1 else set())


def test_recordings_are_found(tmp_path: Path) -> None:
    folders = [saved(tmp_path, recorded(nodeid=f"test_a.py::test_{n}")) for n in range(3)]
    (tmp_path / "other").mkdir()
    assert recording_files.find(tmp_path) == folders
    assert recording_files.find(folders[0]) == [folders[0]]
    assert recording_files.find(tmp_path / "other") == []


@pytest.mark.parametrize("damage", ["{", "[]", "{}", '{"test": 1}', None])
def test_what_cannot_be_read_is_told(tmp_path: Path, damage: Any) -> None:
    folder = saved(tmp_path, recorded())
    if damage is None:
        (folder / "recording.jsonl").unlink()
    else:
        (folder / "test.json").write_text(damage)
    with pytest.raises(NoRecording, match="no recording that can be read"):
        recording_files.load(folder)
