"""The environments of this user on this machine: one folder and one record for each.

A record is written before its server is started and goes away with the folder, which the server
removes last. So whatever crashes, a record that describes two dead processes (server and owner)
is left, and `prune` can end what they left behind.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import secrets
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from collections.abc import Mapping
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import field
from dataclasses import fields
from pathlib import Path
from typing import Any

from pytest_kecs.errors import EnvironmentNotFound
from pytest_kecs.errors import UnsafeHome

_RECORD = "environment.json"
_NAME = re.compile(r"kecs-[0-9a-f]{6}")
# Start times come from the boot time, which moves with the clock when that is set.
_SAME_START_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentRecord:
    """What is known of an environment without asking it.

    fingerprint: of the settings, `LaunchOptions.fingerprint`.
    owner_pid, server_pid: None when there is none (a kept environment; a server not yet started).
    owner_started, server_started: `process_started` of the two.
    created, lease_until: seconds since the epoch; no lease: None.
    kept_realms: a mapping with `test`, `access_key` and `secret_key` for each test that was kept.
    """

    name: str
    directory: str
    endpoint: str
    run_secret: str = field(repr=False)
    engine: str
    region: str
    version: str
    rootdir: str
    fingerprint: str
    created: float = field(default_factory=time.time)
    owner_pid: int | None = None
    owner_started: float | None = None
    server_pid: int | None = None
    server_started: float | None = None
    lease_until: float | None = None
    kept: bool = False
    kept_realms: tuple[Mapping[str, str], ...] = field(default=(), repr=False)

    @classmethod
    def from_json(cls, text: str) -> EnvironmentRecord:
        """Read what another version of this package may have written: unknown members are skipped.

        :raises TypeError, ValueError: the text is not a record.
        """
        known = {member.name for member in fields(cls)}
        members: dict[str, Any] = {k: v for k, v in json.loads(text).items() if k in known}
        members["kept_realms"] = tuple(members.get("kept_realms", ()))
        return cls(**members)


def home() -> Path:
    """The folder that holds this user's environments, made if need be.

    :raises UnsafeHome: it is another user's, or others may look into it.
    """
    wanted = os.environ.get("KECS_HOME")
    if wanted:
        path = Path(wanted).expanduser().resolve()
    else:
        path = Path(tempfile.gettempdir()).resolve() / f"kecs-{os.getuid()}"
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UnsafeHome(
            f"the folder for environments, {path}, cannot be made: {error.strerror};"
            " set KECS_HOME to a folder that you may write to"
        ) from error
    _refuse_unsafe(path)
    return path


def _refuse_unsafe(path: Path) -> None:
    # lstat: in a shared temporary folder somebody could have put a link there first.
    status = path.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise UnsafeHome(
            f"{path} belongs to somebody else (user id {status.st_uid}) or is a link; environments"
            " hold secrets and run commands, so set KECS_HOME to a folder of your own"
        )
    # Passing through is allowed: the process engine opens the way for a task's `user`.
    if status.st_mode & 0o066:
        raise UnsafeHome(
            f"{path} is open to other users (mode {stat.S_IMODE(status.st_mode):04o}); environments"
            f" hold secrets: run `chmod 700 {path}`, or set KECS_HOME to another folder"
        )


def new_name() -> str:
    """A name that no environment has yet: `kecs-` and six hexadecimal digits."""
    while True:
        name = f"kecs-{secrets.token_hex(3)}"
        if not (home() / name).exists():
            return name


def create(record: EnvironmentRecord) -> None:
    """Make the environment's folder with the record in it, both at once.

    :raises FileExistsError: there is such a folder already.
    """
    directory = Path(record.directory)
    fresh = Path(tempfile.mkdtemp(prefix=".new-", dir=directory.parent))
    try:
        _write_into(fresh, record)
        if directory.exists():
            raise FileExistsError(f"{directory} exists already")
        fresh.rename(directory)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise


def write(record: EnvironmentRecord) -> None:
    """Replace the record of an environment that still has its folder.

    :raises FileNotFoundError: the folder is gone, so the environment has ended.
    """
    _write_into(Path(record.directory), record)


def _write_into(directory: Path, record: EnvironmentRecord) -> None:
    # mkstemp makes files that only their owner can read, which the run secret needs.
    handle, name = tempfile.mkstemp(prefix=f".{_RECORD}-", dir=directory)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(asdict(record), file, indent=1)
        os.replace(name, directory / _RECORD)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def read_all() -> list[EnvironmentRecord]:
    """The readable records, oldest first."""
    found = (_read_from(directory) for directory in _directories())
    return sorted((record for record in found if record), key=lambda record: record.created)


def read(name: str) -> EnvironmentRecord:
    """:raises EnvironmentNotFound: there is no such environment, or its record is unreadable."""
    record = _read_from(home() / name) if _NAME.fullmatch(name) else None
    if record is None:
        raise EnvironmentNotFound(name, [known.name for known in read_all()])
    return record


def _read_from(directory: Path) -> EnvironmentRecord | None:
    try:
        return EnvironmentRecord.from_json((directory / _RECORD).read_text(encoding="utf-8"))
    except (OSError, TypeError, ValueError, AttributeError):
        return None


def _directories() -> list[Path]:
    return [path for path in home().iterdir() if _NAME.fullmatch(path.name)]


def remove(name: str) -> None:
    """Remove the folder of an environment that never started anything."""
    discard(home() / name)


def discard(directory: Path) -> None:
    """Remove an environment's folder, whether it is still there or not."""
    shutil.rmtree(directory, ignore_errors=True)


def is_alive(record: EnvironmentRecord) -> bool:
    """Whether the environment's server runs: that process, not another that got its number."""
    return is_process(record.server_pid, record.server_started)


def has_owner(record: EnvironmentRecord) -> bool:
    """Whether the process that the environment was made for runs."""
    return is_process(record.owner_pid, record.owner_started)


def is_process(pid: int | None, started: float | None) -> bool:
    """Whether process `pid` runs and is the one that began at `started`."""
    if pid is None or started is None:
        return False
    begun = process_started(pid)
    return begun is not None and abs(begun - started) < _SAME_START_SECONDS


def process_started(pid: int) -> float | None:
    """When process `pid` began, in seconds since the epoch; None if it does not run (any more)."""
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.Error:
        return None


def prune() -> tuple[list[str], list[str]]:
    """End what dead environments left behind: those whose server and owner are both gone.

    :returns: what was removed; what could not be, and why. One line for each.
    """
    removed: list[str] = []
    left: list[str] = []
    for directory in _directories():
        if _is_dead(directory):
            done, failed = clear(directory)
            removed += done
            left += failed
    return removed, left


def clear(directory: Path) -> tuple[list[str], list[str]]:
    """End what is left of an environment whose server is known to be dead.

    Nothing is done when another process is at it already. Returns what `prune` does.
    """
    with _claim(directory) as claimed:
        if not claimed:
            return [], []
        from kecs_server.prune import remove_environment

        return remove_environment(directory, directory.name)


def _is_dead(directory: Path) -> bool:
    # A record that this version cannot read may describe a living environment of another version.
    # No record at all: the server was removing the folder when it was killed.
    record = _read_from(directory)
    if record is None:
        return directory.is_dir() and not os.path.exists(directory / _RECORD)
    return not is_alive(record) and not has_owner(record)


@contextlib.contextmanager
def _claim(directory: Path) -> Iterator[bool]:
    """Lock the folder itself: the lock then leaves nothing behind, and ends with its process."""
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        yield False
        return
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)
