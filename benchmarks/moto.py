"""moto's server of PyPI as a peer: an environment of its own, a process of its own."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.errors import BenchmarkError

_ENVIRONMENT = Path(__file__).resolve().parent.parent / ".venv-moto"
_PYTHON = _ENVIRONMENT / "bin" / "python"
_VERSION = "import moto.server, importlib.metadata as m; print(m.version('moto'))"


@dataclass(frozen=True, slots=True, kw_only=True)
class MotoServer:
    """A moto_server that was spawned just now; it may not listen yet."""

    process: subprocess.Popen[bytes]
    port: int

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def install() -> str:
    """Make `.venv-moto` unless it is whole already; moto's version.

    :raises BenchmarkError: pip could not install it.
    """
    version = _installed_version()
    if version is None:
        print("Installing moto[server] in .venv-moto", file=sys.stderr)
        try:
            subprocess.run([sys.executable, "-m", "venv", "--clear", _ENVIRONMENT], check=True)
            pip = [str(_PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*pip, "moto[server]>=5.2"], check=True)
        except subprocess.CalledProcessError as error:
            raise BenchmarkError(
                "moto could not be installed in .venv-moto: see pip's text above; the groups that"
                " need no moto can be chosen with --only"
            ) from error
        version = _installed_version()
    if version is None:
        raise BenchmarkError("moto was installed in .venv-moto, but cannot be imported there")
    return version


def _installed_version() -> str | None:
    if not _PYTHON.exists():
        return None
    found = subprocess.run([_PYTHON, "-c", _VERSION], capture_output=True, text=True, check=False)
    return found.stdout.strip() if found.returncode == 0 else None


def free_port() -> int:
    """A loopback port that nobody has at the moment; moto_server cannot be handed a socket."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@contextmanager
def moto_server(port: int) -> Iterator[MotoServer]:
    """Spawn one; on leaving it has ended."""
    # The module, as its console script calls it: that script would not survive a moved folder.
    command = [str(_PYTHON), "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    output = subprocess.DEVNULL
    with subprocess.Popen(command, stdin=output, stdout=output, stderr=output) as process:
        try:
            yield MotoServer(process=process, port=port)
        finally:
            process.kill()
