"""Tasks on a kind cluster, beside Pods that kubectl runs on the same cluster."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import ExitStack
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from benchmarks import ours
from benchmarks.errors import BenchmarkError
from benchmarks.figures import Figure
from benchmarks.figures import Peer
from benchmarks.figures import Row
from benchmarks.figures import compared
from benchmarks.lines import Lines
from benchmarks.ours import Ours
from benchmarks.plan import Plan
from benchmarks.rounds import interleaved
from pytest_kecs.admin import AdminClient
from pytest_kecs.kecs import Kecs

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient

_AIM = 1.2
_SECONDS = 60.0
_FAMILY = "benchmark"
# What it prints begins with the machine's time since boot, to a hundredth of a second.
_COMMAND = ("sh", "-c", "sleep 1; cat /proc/uptime")
_WATCHED = '{.metadata.name} {.status.phase}{"\\n"}'
# What our Pods leave out as well.
_AS_OURS = {
    "spec": {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
    }
}


def missing() -> str | None:
    """What these measurements lack on this machine, for a person."""
    for program in ("docker", "kind", "kubectl"):
        if shutil.which(program) is None:
            return f"the program {program} is not on PATH"
    for variable in ("KECS_KIND_IMAGE", "KECS_TEST_IMAGE"):
        if not os.environ.get(variable):
            return f"the variable {variable} is not set (a node image; an image with a shell)"
    if not hasattr(time, "CLOCK_BOOTTIME"):
        return "only Linux has the clock that a Pod and this program share"
    return None


def measure(plan: Plan) -> list[Row]:
    with ExitStack() as stack:
        image = os.environ["KECS_TEST_IMAGE"]
        environment = stack.enter_context(
            ours.environment(engine="kind", kind_image=os.environ["KECS_KIND_IMAGE"])
        )
        admin = stack.enter_context(environment.admin())
        kubectl = Kubectl(environment)
        watch = stack.enter_context(kubectl.watch())
        client = environment.ecs()
        _register(client, image)
        names = (f"benchmark-{number}" for number in itertools.count())
        subjects = {
            "RunTask": partial(_run_task, client, admin, kubectl, environment.launcher.name),
            "kubectl": partial(_run_pod, kubectl, watch, image, lambda: next(names)),
        }
        figures = interleaved(subjects, plan.pods)
        return _rows(figures["RunTask"], figures["kubectl"])


def _rows(task: Mapping[str, Figure], pod: Mapping[str, Figure]) -> list[Row]:
    return [
        compared(
            "kind",
            name,
            "ms",
            task[kind],
            Peer(name=peer, figure=pod[kind]),
            at_most=_AIM,
            note=note,
        )
        for kind, name, peer, note in (
            (
                "running",
                "on kind: RunTask to RUNNING seen by a waiter",
                "kubectl run, watched",
                f"RunTask's own call {task['call'].median:.0f} ms,"
                f" kubectl's {pod['call'].median:.0f} ms",
            ),
            (
                "seen",
                "on kind: exit to STOPPED seen by a waiter",
                "Succeeded, watched",
                "exit times to 10 ms",
            ),
        )
    ]


class Kubectl:
    """kubectl on the environment's own cluster."""

    def __init__(self, environment: Ours) -> None:
        kubeconfig = environment.launcher.directory / "kubeconfig"
        self._environ = {**os.environ, "KUBECONFIG": str(kubeconfig)}

    def __call__(self, *arguments: str) -> str:
        """:raises BenchmarkError: kubectl failed; with what it said."""
        done = subprocess.run(
            ["kubectl", *arguments],
            env=self._environ,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise BenchmarkError(f"kubectl {arguments[0]} failed: {done.stderr.strip()}")
        return done.stdout

    @contextmanager
    def watch(self) -> Iterator[Lines]:
        """A line for each change of a Pod in the default namespace: its name and phase."""
        command = ["kubectl", "get", "pods", "--watch", "-o", f"jsonpath={_WATCHED}"]
        with subprocess.Popen(
            command, env=self._environ, stdout=subprocess.PIPE, bufsize=0
        ) as process:
            try:
                yield Lines(process)
            finally:
                process.kill()

    def settle(self, namespace: str) -> None:
        """Wait until the namespace has no Pods, so that nobody pays for another's cleaning up."""
        if self("get", "pods", "-n", namespace, "-o", "name"):
            limit = f"--timeout={_SECONDS:.0f}s"
            self("wait", "--for=delete", "pod", "--all", "-n", namespace, limit)


def _register(client: ECSClient, image: str) -> None:
    client.create_cluster(clusterName="default")
    client.register_task_definition(
        family=_FAMILY,
        containerDefinitions=[
            {"name": "app", "image": image, "memory": 64, "command": list(_COMMAND)}
        ],
    )


def _run_task(
    client: ECSClient, admin: AdminClient, kubectl: Kubectl, namespace: str
) -> Mapping[str, float]:
    called = time.perf_counter()
    [task] = client.run_task(taskDefinition=_FAMILY)["tasks"]
    answered = time.perf_counter()
    arn = task["taskArn"]
    client.get_waiter("tasks_running").wait(tasks=[arn])
    running = time.perf_counter()
    client.get_waiter("tasks_stopped").wait(tasks=[arn])
    seen = _since_boot()
    printed = Kecs(client, admin).logs(arn)
    kubectl.settle(namespace)
    return _times(called, answered, running, seen, printed)


def _run_pod(
    kubectl: Kubectl, watch: Lines, image: str, new_name: Callable[[], str]
) -> Mapping[str, float]:
    name = new_name()
    called = time.perf_counter()
    kubectl(*_run_arguments(name, image, _COMMAND))
    answered = time.perf_counter()
    _wait_phase(watch, name, "Running")
    running = time.perf_counter()
    _wait_phase(watch, name, "Succeeded")
    seen = _since_boot()
    printed = kubectl("logs", name)
    kubectl("delete", "pod", name)
    return _times(called, answered, running, seen, printed)


def _run_arguments(name: str, image: str, command: Sequence[str]) -> list[str]:
    options = ["--image", image, "--restart=Never", "--image-pull-policy=IfNotPresent"]
    options += ["--overrides", json.dumps(_AS_OURS)]
    return ["run", name, *options, "--command", "--", *command]


def _wait_phase(watch: Lines, name: str, phase: str) -> None:
    while watch.next(f"the Pod {name} in phase {phase}", _SECONDS).split() != [name, phase]:
        pass


def _since_boot() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _times(
    called: float, answered: float, running: float, seen: float, printed: str
) -> Mapping[str, float]:
    """Milliseconds: of the call, until it ran, and from the command's end until that was seen.

    :raises BenchmarkError: the Pod has another clock than this program.
    """
    ended = float(printed.split()[0])
    if not 0 <= seen - ended < _SECONDS:
        raise BenchmarkError("the cluster's clock is not this machine's: nothing can be compared")
    return {
        "call": 1000 * (answered - called),
        "running": 1000 * (running - called),
        "seen": 1000 * (seen - ended),
    }
