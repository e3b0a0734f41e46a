"""A test's recording as a folder, and back: files for people and programs, and the page.

- `index.html`: the page, with all that it shows in it
- `recording.jsonl`: API calls and changes of state, one JSON object a line
- `test.json`: the test, its tasks and services, and which file has which log
- `task-definitions/`, `logs/`: one file for each definition and each container
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

from kecs_server.page import render

Structure = dict[str, Any]
Logs = dict[str, dict[str, Structure]]
"""By task and container: `lines`, each `[time, stream, text]`, and bytes that were `skipped`."""

PAGE = "index.html"
_FACTS = "test.json"
_ENTRIES = "recording.jsonl"
_FORMAT = 1
_LONGEST_NAME = 120
# What of each log, and of all logs together, is on the page.
_PAGE_LINES = 400
_PAGE_LOG = 48 * 1024
_PAGE_LOGS = 8 * 1024 * 1024
_MOST_OF_A_NAME = 1000


class NoRecording(ValueError):
    """The folder has none; the text says what is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What is known of one run of a test. `test` has `nodeid`, `outcome`, `attempt`, `message` and
    `run`, the id of the run of pytest; `recording` is what the server gave.
    """

    test: Structure
    recording: Structure
    logs: Logs

    @property
    def page(self) -> str:
        data = {"test": self.test, "recording": self.recording, "logs": _for_page(self.logs)}
        return render(data, f"{self.test['nodeid']} - pytest-kecs")


def folder_name(nodeid: str) -> str:
    """A name that every file system takes, alike for the same test and different for others."""
    plain = re.sub(r"::|/", "-", nodeid)
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", plain).strip(".-")
    if name == plain and len(name) <= _LONGEST_NAME:
        return name
    digest = hashlib.sha256(nodeid.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{name[:_LONGEST_NAME].rstrip('.-') or 'test'}-{digest}"


def save(root: Path, recorded: Recorded) -> tuple[Path | None, str | None]:
    """Write a folder below `root`: where it is, and what went wrong if anything did.

    Who looks sees no folder that is half written. One of an earlier run of the same test makes
    place; one of this run (another attempt, another worker) does not.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        fresh = root / f".kecs-{uuid.uuid4().hex}"
        fresh.mkdir()
    except OSError as error:
        return None, _why(error, root)
    problem = None
    try:
        _write(fresh, recorded)
    except OSError as error:
        problem = _why(error, root)
    try:
        if problem is not None and not _has_something(fresh):
            shutil.rmtree(fresh, ignore_errors=True)
            return None, problem
        return _put_in_place(fresh, root, recorded.test), problem
    except OSError as error:
        shutil.rmtree(fresh, ignore_errors=True)
        return None, problem or _why(error, root)


def discard(root: Path, nodeid: str, run: str) -> None:
    """Remove what earlier runs of pytest have left of the test.

    :raises OSError: it cannot be removed.
    """
    for folder in _folders(root, folder_name(nodeid)):
        if not folder.exists():
            return
        if _is_of_earlier_run(folder, run):
            _remove(folder)


def load(folder: Path) -> Recorded:
    """What `save` wrote.

    :raises NoRecording: the folder has none, or one that cannot be read.
    """
    try:
        facts = _read_facts(folder)
        entries = [
            json.loads(line)
            for line in (folder / _ENTRIES).read_text(encoding="utf-8").splitlines()
        ]
        recording = {**facts["recording"], "entries": entries}
        recording["definitions"] = {
            arn: json.loads((folder / name).read_text(encoding="utf-8"))
            for arn, name in facts["definitions"].items()
        }
        logs = {
            task: {
                container: {"lines": _read_log(folder / log["file"]), "skipped": log["skipped"]}
                for container, log in containers.items()
            }
            for task, containers in facts["logs"].items()
        }
        return Recorded(test=facts["test"], recording=recording, logs=logs)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise NoRecording(f"{folder} has no recording that can be read: {error}") from error


def find(root: Path) -> list[Path]:
    """The folders of recordings: `root` itself, or those below it."""
    if (root / _FACTS).is_file():
        return [root]
    return sorted(path.parent for path in root.glob(f"*/{_FACTS}") if path.parent.name[0] != ".")


def write_page(folder: Path) -> Structure:
    """Make the page anew from the other files; returns what is known of the test.

    :raises NoRecording: there is nothing to make it from.
    :raises OSError: it cannot be written.
    """
    recorded = load(folder)
    _replace(folder / PAGE, recorded.page)
    return recorded.test


def _write(folder: Path, recorded: Recorded) -> None:
    """What is worth most comes first: the disk may be full before all is there."""
    recording = recorded.recording
    lines = [json.dumps(_line(entry)) + "\n" for entry in recording["entries"]]
    _text(folder / _ENTRIES, "".join(lines))
    definitions = dict(_named_definitions(recording["definitions"]))
    logs = _named_logs(recorded)
    left_out = ("entries", "definitions")
    facts = {
        "format": _FORMAT,
        "test": recorded.test,
        "recording": {name: recording[name] for name in recording if name not in left_out},
        "definitions": definitions,
        "logs": logs,
    }
    _text(folder / _FACTS, json.dumps(facts, indent=1))
    try:
        _text(folder / PAGE, recorded.page)
    except OSError:
        # A part of it shows nothing; `kecs report` makes it of the rest.
        (folder / PAGE).unlink(missing_ok=True)
        raise
    if definitions:
        (folder / "task-definitions").mkdir()
    for arn, name in definitions.items():
        _text(folder / name, json.dumps(recording["definitions"][arn], indent=2) + "\n")
    if logs:
        (folder / "logs").mkdir()
    for task, containers in logs.items():
        for container, log in containers.items():
            _text(folder / log["file"], _log_text(recorded.logs[task][container]))


def _line(entry: Structure) -> Structure:
    moment = datetime.fromtimestamp(entry["at"], UTC).isoformat(timespec="milliseconds")
    return {"time": moment, **entry}


def _named_definitions(definitions: Mapping[str, Structure]) -> Iterator[tuple[str, str]]:
    """Each ARN with a file name; regions and accounts may have the same families."""
    taken: set[str] = set()
    for arn, definition in definitions.items():
        stem = f"{definition.get('family', 'unnamed')}-{definition.get('revision', 0)}"[:200]
        yield arn, f"task-definitions/{_unused(stem, taken)}.json"


def _named_logs(recorded: Recorded) -> dict[str, dict[str, Structure]]:
    taken: set[str] = set()
    families = {
        task["id"]: task["definition"].rpartition("/")[2].replace(":", "-")
        for task in recorded.recording["tasks"]
    }
    result: dict[str, dict[str, Structure]] = {}
    for task, containers in recorded.logs.items():
        for container, log in containers.items():
            stem = f"{families.get(task, 'task')[:80]}-{task[:8]}-{container[:80]}"
            file = f"logs/{_unused(stem, taken)}.log"
            result.setdefault(task, {})[container] = {"file": file, "skipped": log["skipped"]}
    return result


def _unused(stem: str, taken: set[str]) -> str:
    stem = re.sub(r"[^A-Za-z0-9._-]", "-", stem)
    name = next(name for name in _numbered(stem) if name not in taken)
    taken.add(name)
    return name


def _numbered(stem: str) -> Iterator[str]:
    yield stem
    yield from (f"{stem}-{number}" for number in count(2))


def _log_text(log: Structure) -> str:
    """Lines as `kecs logs --timestamps` has them, with the stream."""
    lines = [f"[kecs: {log['skipped']} bytes came before this]\n"] if log["skipped"] else []
    lines += [
        f"{datetime.fromtimestamp(at, UTC).isoformat(timespec='microseconds')} {stream} {text}\n"
        for at, stream, text in log["lines"]
    ]
    return "".join(lines)


def _read_log(path: Path) -> list[list[Any]]:
    lines: list[list[Any]] = []
    # As bytes: a carriage return is a character of its line.
    for line in path.read_bytes().decode().split("\n"):
        moment, _, rest = line.partition(" ")
        stream, _, text = rest.partition(" ")
        if stream in ("stdout", "stderr"):
            lines.append([datetime.fromisoformat(moment).timestamp(), stream, text])
    return lines


def _for_page(logs: Logs) -> Logs:
    """Their ends, of limited size each and together."""
    left = _PAGE_LOGS
    result: Logs = {}
    for task, containers in logs.items():
        for container, log in containers.items():
            lines: list[Any] = []
            room = min(_PAGE_LOG, left)
            for at, stream, text in reversed(log["lines"][-_PAGE_LINES:]):
                if room <= 0:
                    break
                lines.append([at, stream, text[-room:]])
                room -= len(text) + 1
            cut = sum(len(line[2]) for line in log["lines"]) - sum(len(line[2]) for line in lines)
            left -= min(_PAGE_LOG, left) - max(room, 0)
            shown = {"lines": lines[::-1], "skipped": log["skipped"] + cut}
            result.setdefault(task, {})[container] = shown
    return result


def _put_in_place(fresh: Path, root: Path, test: Mapping[str, Any]) -> Path:
    """:raises OSError: it cannot be moved there."""
    run = test["run"]
    discard(root, test["nodeid"], run)
    for target in _folders(root, folder_name(test["nodeid"])):
        try:
            # Refused where something is: of another attempt, another worker, or not ours at all.
            fresh.rename(target)
            return target
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                raise
    raise FileExistsError(errno.EEXIST, "there are too many folders of this test", str(root))


def _folders(root: Path, name: str) -> Iterator[Path]:
    numbered = _numbered(name)
    yield from (root / next(numbered) for _ in range(_MOST_OF_A_NAME))


def _is_of_earlier_run(folder: Path, run: str) -> bool:
    try:
        return bool(_read_facts(folder)["test"]["run"] != run)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _read_facts(folder: Path) -> Structure:
    facts: Structure = json.loads((folder / _FACTS).read_text(encoding="utf-8"))
    return facts


def _remove(folder: Path) -> None:
    """At once for who looks on; another worker may be doing the same."""
    old = folder.with_name(f".kecs-{uuid.uuid4().hex}")
    try:
        folder.rename(old)
    except FileNotFoundError:
        return
    shutil.rmtree(old, ignore_errors=True)


def _has_something(folder: Path) -> bool:
    return any(path.is_file() and path.stat().st_size for path in folder.rglob("*"))


def _text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", errors="backslashreplace", newline="")


def _replace(path: Path, text: str) -> None:
    fresh = path.with_name(f".{path.name}-{uuid.uuid4().hex}")
    try:
        _text(fresh, text)
        os.replace(fresh, path)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise


def _why(error: OSError, root: Path) -> str:
    return f"{error.filename or root}: {error.strerror or error}"
