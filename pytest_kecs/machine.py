"""Which engines this machine could run."""

from __future__ import annotations

import os
import shutil
import subprocess

_CONTAINER_PROGRAMS = ("docker", "podman", "nerdctl")
_PING_SECONDS = 10
# Programs that were asked, for `auto`, and did not answer.
_silent: set[str] = set()


def other_engines(engine: str) -> list[str]:
    """What else than `engine` could run here, and why; looks for programs and files only.

    Whether a container engine answers is known where `choose_engine` has asked.
    """
    found = []
    program = container_program()
    if engine != "kind" and program and program not in _silent and shutil.which("kind"):
        found.append(f"kind (kind and {program} are installed)")
    kubeconfig = _kubeconfig()
    if engine != "kubernetes" and kubeconfig:
        found.append(f"kubernetes (by {kubeconfig})")
    if engine != "process":
        found.append("process")
    return found


def choose_engine() -> tuple[str, str]:
    """What `auto` means here: the engine and why. Asks the container engine whether it answers."""
    if shutil.which("kind") is None:
        return "process", "auto: kind is not installed"
    program = container_program()
    if program is None:
        return "process", f"auto: kind is installed, but none of {', '.join(_CONTAINER_PROGRAMS)}"
    if not _answers(program):
        _silent.add(program)
        return "process", f"auto: kind is installed, but {program} does not answer"
    _silent.discard(program)
    return "kind", f"auto: kind is installed and {program} answers"


def container_program() -> str | None:
    """The first program of a container engine on PATH."""
    return next(filter(shutil.which, _CONTAINER_PROGRAMS), None)


def _answers(program: str) -> bool:
    try:
        ping = subprocess.run(
            [program, "ps", "--quiet"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_PING_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return ping.returncode == 0


def _kubeconfig() -> str | None:
    named = os.environ.get("KUBECONFIG")
    if named:
        return "KUBECONFIG"
    path = os.path.join(os.path.expanduser("~"), ".kube", "config")
    return "~/.kube/config" if os.path.isfile(path) else None
