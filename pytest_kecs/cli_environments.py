"""`kecs list`, `env`, `stop`, `prune` and `reset`: what is done with environments that exist."""

from __future__ import annotations

import difflib
import json
import os
import shlex
import sys
import time
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kecs_server.credentials import Credentials
from kecs_server.credentials import derive_credentials

from pytest_kecs import registry
from pytest_kecs.admin import AdminClient
from pytest_kecs.errors import InvalidSetting
from pytest_kecs.errors import KecsError
from pytest_kecs.exports import REMOVED_NAMES
from pytest_kecs.exports import aws_variables
from pytest_kecs.launcher import STOP_SECONDS
from pytest_kecs.registry import EnvironmentRecord
from pytest_kecs.tls import ca_file

# The label of the key that the command hands out; those of test runs are `<run id>/<worker>`.
CLI_LABEL = "kecs"
_OUR_KEYS = "KECS"
_COLUMNS = ("NAME", "ENGINE", "STATE", "ENDPOINT", "AGE", "OWNER OR LEASE", "TESTS KEPT")


def list_environments(*, as_json: bool) -> int:
    """Print the environments of this user."""
    records = registry.read_all()
    if as_json:
        _print_json([_facts(record) for record in records])
    elif records:
        _print_table([_COLUMNS, *(_row(record) for record in records)])
        if any(_state(record) == "dead" for record in records):
            print("\n`kecs prune` removes what the dead ones have left behind.")
    else:
        print("There are no environments.")
    return 0


def print_variables(name: str, *, test: str | None, as_json: bool) -> int:
    """Print shell lines that lead AWS clients to an environment, or to a test kept in it."""
    record = registry.read(name)
    if _state(record) == "dead":
        raise KecsError(f"{name} has ended without cleaning up; `kecs prune` removes what is left")
    credentials = cli_credentials(record) if test is None else _kept_credentials(record, test)
    variables = aws_variables(
        record.endpoint, credentials, record.region, ca_file=ca_file(record.directory)
    )
    if as_json:
        _print_json({"set": variables, "unset": list(REMOVED_NAMES)})
    else:
        print("\n".join(shell_lines(variables)))
    return 0


def shell_lines(variables: Mapping[str, str]) -> list[str]:
    """Lines that a POSIX shell evaluates."""
    exports = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    return [f"unset {' '.join(REMOVED_NAMES)}", *exports]


def cli_credentials(record: EnvironmentRecord) -> Credentials:
    """The key that the command gives out for an environment."""
    return derive_credentials(record.run_secret, CLI_LABEL)


def _kept_credentials(record: EnvironmentRecord, test: str) -> Credentials:
    kept = {realm["test"]: realm for realm in record.kept_realms}
    if test not in kept:
        close = difflib.get_close_matches(test, kept, n=1, cutoff=0.3) or list(kept)[:1]
        hint = f"; did you mean {close[0]!r}?" if close else " (it keeps none)"
        raise KecsError(f"{record.name} keeps no test {test!r}{hint}")
    return Credentials(kept[test]["access_key"], kept[test]["secret_key"])


def stop(name: str | None, *, as_json: bool) -> int:
    """End one environment, or all of them."""
    if name is not None:
        _stop_one(registry.read(name))
        stopped = [name]
    else:
        # Those that have started nothing are left to their owners.
        records = [r for r in registry.read_all() if _state(r) != "idle"]
        for record in records:
            _stop_one(record)
        stopped = [record.name for record in records]
    if as_json:
        _print_json({"stopped": stopped})
    else:
        print("\n".join(f"stopped {name}" for name in stopped) or "There was nothing to stop.")
    return 0


def _stop_one(record: EnvironmentRecord) -> None:
    if _state(record) == "idle":
        raise KecsError(
            f"{record.name} has started nothing yet; it belongs to process {record.owner_pid}"
            " and ends with it"
        )
    _end_server(record)
    directory = Path(record.directory)
    if directory.exists():
        _, left = registry.clear(directory)
        if left:
            raise KecsError("; ".join(left))


def _end_server(record: EnvironmentRecord) -> None:
    import psutil

    if not registry.is_alive(record) or record.server_pid is None:
        return
    try:
        server = psutil.Process(record.server_pid)
        server.terminate()
        try:
            server.wait(STOP_SECONDS)
        except psutil.TimeoutExpired:
            server.kill()
            server.wait(STOP_SECONDS)
    except psutil.NoSuchProcess:
        return
    except psutil.Error as error:
        raise KecsError(f"the server of {record.name} cannot be ended: {error}") from error


def prune(kubeconfig: str | None, context: str | None, *, as_json: bool) -> int:
    """Remove what dead environments left behind, on this machine and in a cluster.

    :raises KecsError: something stays, and why.
    """
    if context is not None and kubeconfig is None:
        raise InvalidSetting("--context needs --kubeconfig: say in which file the context is")
    if kubeconfig is not None and not Path(kubeconfig).is_file():
        raise InvalidSetting(f"there is no kubeconfig {kubeconfig!r}")
    done, problems = registry.prune()
    if kubeconfig is not None:
        try:
            done += _reap(kubeconfig, context)
        except KecsError as error:
            problems.append(str(error))
    # What was done is said whether or not all could be.
    if as_json:
        _print_json({"done": done})
    elif done or not problems:
        print("\n".join(done) or "There is nothing to remove.")
    if problems:
        raise KecsError("; ".join(problems))
    return 0


def _reap(kubeconfig: str, context: str | None) -> list[str]:
    from kecs_server.engines.base import EngineError
    from kecs_server.engines.kubernetes.reap import reap_expired

    try:
        reaped = reap_expired(kubeconfig, context)
    except EngineError as error:
        raise KecsError(str(error)) from error
    return [f"{name}: removed from the cluster of {kubeconfig}" for name in reaped]


def reset(*, as_json: bool) -> int:
    """Empty the account that the AWS_* variables name."""
    with account_client() as client:
        removed = client.reset()
    if as_json:
        _print_json(removed)
    else:
        counts = [f"{count} {kind.replace('_', ' ')}" for kind, count in removed.items() if count]
        print(f"Removed {', '.join(counts)}." if counts else "The account was empty.")
    return 0


def account_client() -> AdminClient:
    """A client of the account that the AWS_* variables name.

    :raises InvalidSetting: they name none of ours.
    """
    endpoint = _variable("AWS_ENDPOINT_URL_ECS")
    credentials = Credentials(_variable("AWS_ACCESS_KEY_ID"), _variable("AWS_SECRET_ACCESS_KEY"))
    # Each call carries the secret key itself, so it must be one that only we have a use for.
    if not credentials.access_key.startswith(_OUR_KEYS):
        raise InvalidSetting(
            "AWS_ACCESS_KEY_ID is not a key of a kecs environment, so nothing was sent to"
            f' {endpoint}; set the variables with eval "$(kecs env NAME)"'
        )
    return AdminClient(endpoint, credentials)


def _variable(name: str) -> str:
    value = os.environ.get(name)
    if value:
        return value
    raise InvalidSetting(
        f"{name} is not set: this command acts on the account that the AWS_* variables name;"
        ' set them with eval "$(kecs env NAME)"'
    )


def _state(record: EnvironmentRecord) -> str:
    if registry.is_alive(record):
        return "running"
    is_waiting = record.server_pid is None and registry.has_owner(record)
    return "idle" if is_waiting else "dead"


def _facts(record: EnvironmentRecord) -> dict[str, Any]:
    return {
        "name": record.name,
        "engine": record.engine,
        "state": _state(record),
        "endpoint": record.endpoint,
        "region": record.region,
        "version": record.version,
        "rootdir": record.rootdir,
        "created": record.created,
        "server_pid": record.server_pid,
        "owner_pid": record.owner_pid if registry.has_owner(record) else None,
        "lease_until": record.lease_until,
        "tests": [realm["test"] for realm in record.kept_realms],
    }


def _row(record: EnvironmentRecord) -> tuple[str, ...]:
    tests = ", ".join(realm["test"] for realm in record.kept_realms)
    return (
        record.name,
        record.engine,
        _state(record),
        record.endpoint,
        _duration(time.time() - record.created),
        _holder(record),
        tests or "-",
    )


def _holder(record: EnvironmentRecord) -> str:
    if registry.has_owner(record):
        return f"process {record.owner_pid}"
    if record.lease_until is not None:
        return f"for {_duration(max(0.0, record.lease_until - time.time()))} more"
    return "-"


def _duration(seconds: float) -> str:
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(seconds, 0.0):.0f} s"


def _print_table(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip())


def _print_json(value: Any) -> None:
    json.dump(value, sys.stdout, indent=2)
    print()
