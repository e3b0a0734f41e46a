"""`make conformance`: docs/conformance.md, of this server, moto's and MiniStack."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from benchmarks import moto

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs" / "conformance.md"
_MINISTACK = ROOT / ".venv-ministack"
_KECS = [sys.executable, "-m", "pytest_kecs.cli"]
_START_SECONDS = 60
_VERSION = "import importlib.metadata as m; print(m.version('ministack'))"
_KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
# What runs as containers there cannot here, and no container of the machine is to be touched.
_NO_DOCKER = {"DOCKER_HOST": "unix:///nonexistent/docker.sock"}
Found = list[dict[str, Any]]


def main() -> None:
    """Run the checks against each server, and write what was found."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "found.json"
        found = {"pytest-kecs": _ours(file)}
        version = moto.install()
        with moto.moto_server(moto.free_port()) as server:
            found[f"moto {version}"] = _checked(server.endpoint, file)
        version = _install_ministack()
        with _ministack() as endpoint:
            found[f"MiniStack {version}"] = _checked(endpoint, file)
    DOCS.write_text(_markdown(found), encoding="utf-8")


def _ours(file: Path) -> Found:
    asked = (
        f'exec "$0" -m pytest_kecs.cli conformance --endpoint "$AWS_ENDPOINT_URL_ECS" --json {file}'
    )
    subprocess.run([*_KECS, "run", "--", "sh", "-c", asked, sys.executable], check=False)
    return _read(file)


def _checked(endpoint: str, file: Path) -> Found:
    _wait_for(endpoint)
    network = _network(endpoint)
    command = [
        *_KECS,
        "conformance",
        "--endpoint",
        endpoint,
        "--json",
        str(file),
        *network,
        "--without-tasks",
    ]
    subprocess.run(command, env=os.environ | _KEYS, check=False)
    return _read(file)


def _network(endpoint: str) -> list[str]:
    """Options that name a subnet and a security group of the server."""
    import boto3

    ec2 = boto3.client(
        "ec2",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    group = ec2.describe_security_groups()["SecurityGroups"][0]["GroupId"]
    return ["--subnet", subnet, "--security-group", group]


def _read(file: Path) -> Found:
    found: Found = json.loads(file.read_text(encoding="utf-8"))
    file.unlink()
    return found


def _wait_for(endpoint: str) -> None:
    end = time.monotonic() + _START_SECONDS
    while True:
        try:
            urlopen(endpoint, timeout=5).close()
            return
        except URLError as error:
            # An answer of whatever status will do; nobody who listens will not.
            if hasattr(error, "code"):
                return
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


def _install_ministack() -> str:
    python = str(_MINISTACK / "bin" / "python")
    if not Path(python).exists():
        subprocess.run([sys.executable, "-m", "venv", _MINISTACK], check=True)
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "ministack"], check=True)
    return subprocess.run(
        [python, "-c", _VERSION], check=True, capture_output=True, text=True
    ).stdout.strip()


@contextmanager
def _ministack() -> Iterator[str]:
    port = moto.free_port()
    environ = os.environ | {"GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1", **_NO_DOCKER}
    with subprocess.Popen(
        [str(_MINISTACK / "bin" / "python"), "-m", "ministack"],
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()


def _markdown(found: dict[str, Found]) -> str:
    today = datetime.now(UTC).date().isoformat()
    lines = [
        "# Conformance",
        "",
        f"Made by `make conformance` on {today}: how many checks of `kecs conformance` each server",
        "passes. `-`: it says it has no such operation. What needs running tasks is checked of",
        "this server only (MiniStack needs Docker for them), and left out of the others' numbers.",
        "",
        f"| family | operation | {' | '.join(found)} |",
        f"|---|---|{'---|' * len(found)}",
    ]
    keys = dict.fromkeys((each["family"], each["operation"]) for each in next(iter(found.values())))
    for key in keys:
        cells = [
            _cell([each for each in of if (each["family"], each["operation"]) == key])
            for of in found.values()
        ]
        lines.append(f"| {' | '.join([*key, *cells])} |")
    lines.append(f"| all | | {' | '.join(_cell(of) for of in found.values())} |")
    for basis in ("captured", "documented", "inferred"):
        cells = [_cell([each for each in of if each["basis"] == basis]) for of in found.values()]
        lines.append(f"| rules that are {basis} | | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cell(checks: Found) -> str:
    counts = Counter(each["outcome"] for each in checks)
    run = len(checks) - counts["skipped"]
    if checks and counts["not implemented"] == len(checks):
        return "-"
    return f"{counts['passed']} of {run}" if run else ""


if __name__ == "__main__":
    main()
