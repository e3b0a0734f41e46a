"""The server's end of the talk with who makes networks for tasks (see `netns`)."""

from __future__ import annotations

import errno
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kecs_server.domain.faults import BlackHole
from kecs_server.domain.faults import PacketLoss
from kecs_server.engines.base import EngineError
from kecs_server.engines.process.errors import describe
from kecs_server.engines.process.link import spawn
from kecs_server.engines.process.netns import LONGEST_PACKET

READY_TIMEOUT = 30.0
"""Seconds for the process to start, on a machine that is very busy."""

ANSWER_TIMEOUT = 10.0
"""Seconds for an answer, which takes a millisecond."""

SWITCHES = (
    (
        "kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "AppArmor keeps ordinary users from it, as on Ubuntu since 24.04: "
        "`sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0` allows it",
    ),
    (
        "kernel/unprivileged_userns_clone",
        "0",
        "the kernel keeps ordinary users from it: "
        "`sudo sysctl kernel.unprivileged_userns_clone=1` allows it",
    ),
    (
        "user/max_user_namespaces",
        "0",
        "user namespaces are turned off: `sudo sysctl user.max_user_namespaces=15000` allows them",
    ),
    (
        "user/max_net_namespaces",
        "0",
        "network namespaces are turned off: `sudo sysctl user.max_net_namespaces=15000` allows "
        "them",
    ),
)
"""Files below /proc/sys, the value that forbids networks of one's own, and what to do."""

_ENDED = "who makes networks for tasks has ended"

_STEPS = {
    "user": "a user namespace",
    "map": "a user in a user namespace",
    "net": "a network namespace",
    "loopback": "the loopback device of a network namespace",
    "link": "a pair of network devices (veth) that leads out of a network namespace",
    "mount": "an /etc/hosts of its own",
}


class Namespaces:
    """Networks of tasks, as long as this lives. Thread-safe; every call waits for its answer.

    :param on_end: called, in a thread of its own, when who makes them has ended unasked: nobody
        reaches into them any more.
    :raises EngineError: the system has none, or forbids them.
    """

    def __init__(
        self, variables: dict[str, str], on_end: Callable[[Namespaces], None] | None = None
    ) -> None:
        if sys.platform != "linux":
            raise EngineError("kecs_netns: only Linux has network namespaces. Turn it off here.")
        self._lock = threading.Lock()
        self._on_end = on_end
        self._is_closed = False
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with theirs:
                # In our session: what is in another counts as a container's when one looks for
                # what a dead supervisor has left.
                self._process = spawn("netns", theirs.fileno(), variables, new_session=False)
        except BaseException:
            self._control.close()
            raise
        self.user: str | None = None
        if os.geteuid() != 0:
            self.user = f"/proc/{self._process.pid}/ns/user"
        try:
            self._control.settimeout(READY_TIMEOUT)
            self._receive()
        except Refused as refused:
            self.close()
            raise EngineError(why_not(refused.step, refused.errno or 0)) from None
        except OSError as error:
            self.close()
            raise EngineError(f"kecs_netns: who makes networks did not start: {error}") from error
        self._control.settimeout(ANSWER_TIMEOUT)
        threading.Thread(target=self._watch, name="netns-watch", daemon=True).start()

    def make(self, addresses: Sequence[str]) -> Namespace:
        """A network from which nothing but these addresses is reached.

        :raises OSError: the system has no more, or who makes them is gone.
        """
        made, _ = self._ask(do="make", addresses=list(addresses))
        return Namespace(owner=self, number=made["number"], path=made["path"], user=self.user)

    def open(self, number: int, family: int, kind: int, *, faces: bool = False) -> socket.socket:
        """A socket in a network or, if it `faces` it, at what is reached from there.

        :raises OSError: as `make`.
        """
        do = "face" if faces else "open"
        _, fds = self._ask(do=do, number=number, family=family, kind=kind)
        if not fds:  # which arrived, but had no number left to get here
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return socket.socket(fileno=fds[0])

    def disturb(self, number: int, do: str, **more: Any) -> None:
        """See `netns`. :raises OSError: as `make`."""
        self._ask(do=do, number=number, **more)

    def drop(self, number: int) -> None:
        with suppress(OSError):  # who made it is gone, and with him the network
            self._ask(do="drop", number=number)

    def close(self) -> None:
        """Hang up, at which the process ends."""
        self._is_closed = True
        self._control.close()
        try:
            self._process.wait(ANSWER_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _watch(self) -> None:
        self._process.wait()
        with self._lock:
            was_closed, self._is_closed = self._is_closed, True
            self._control.close()
        if not was_closed and self._on_end is not None:
            self._on_end(self)

    def _ask(self, **order: Any) -> tuple[dict[str, Any], list[int]]:
        with self._lock:
            if self._is_closed:
                raise ConnectionResetError(errno.ECONNRESET, _ENDED)
            self._control.send(json.dumps(order).encode())
            try:
                return self._receive()
            except TimeoutError:  # a late answer would be taken for the next one's
                self._process.kill()
                raise

    def _receive(self) -> tuple[dict[str, Any], list[int]]:
        packet, fds, _, _ = socket.recv_fds(self._control, LONGEST_PACKET, 1)
        if not packet:
            raise ConnectionResetError(errno.ECONNRESET, _ENDED)
        answer = json.loads(packet)
        if "errno" in answer:
            raise Refused(answer["errno"], answer["step"])
        return answer, fds


class Refused(OSError):
    """The system does not do it."""

    def __init__(self, number: int, step: str) -> None:
        super().__init__(number, os.strerror(number))
        self.step = step


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespace:
    """The network of one task. `user` and `path` are what a process enters, see `isolating`."""

    owner: Namespaces
    number: int
    path: str
    user: str | None

    def open(self, family: int, kind: int) -> socket.socket:
        """A socket in it. :raises OSError: the system has no more, or the network is gone."""
        return self.owner.open(self.number, family, kind)

    def face(self, address: str, port: int) -> socket.socket:
        """A socket that listens at an address which is reached from it.

        :raises OSError: the port is taken, or as `open`.
        """
        made = self.owner.open(self.number, socket.AF_INET, socket.SOCK_STREAM, faces=True)
        try:
            made.bind((address, port))
            made.listen(128)
        except OSError:
            made.close()
            raise
        return made

    def lose(self, fault: BlackHole | PacketLoss) -> None:
        """:raises OSError: the system cannot filter packets, or as `open`."""
        do = "drop_port" if isinstance(fault, BlackHole) else "drop_some"
        what = asdict(fault)
        self.owner.disturb(self.number, do, table=fault.name, **what)

    def keep(self, fault: BlackHole | PacketLoss) -> None:
        """Undo `lose`. :raises OSError: as `open`."""
        self.owner.disturb(self.number, "keep", table=fault.name)

    def drop(self) -> None:
        """It ends with the last process and the last socket in it."""
        self.owner.drop(self.number)


def why_not(step: str, number: int, switches: Mapping[str, str | None] | None = None) -> str:
    """What is missing for tasks to have networks of their own, and what to do.

    :param switches: contents of the files of `SWITCHES`; read from the system if left out.
    """
    values = _read_switches() if switches is None else switches
    advice = [text for name, forbids, text in SWITCHES if values.get(name) == forbids]
    if not advice:
        advice = [
            "in a container the runtime may keep it from you (Docker does, unless it is told "
            "`--security-opt seccomp=unconfined` or, for root, `--privileged`)"
        ]
    what = _STEPS.get(step, step)
    return (
        f"kecs_netns: this system does not let {_who()} make {what}: {describe_errno(number)}. "
        f"{advice[0][0].upper()}{advice[0][1:]}. Or turn kecs_netns off: then all tasks share the "
        "machine's network."
    )


def _who() -> str:
    return "root" if os.geteuid() == 0 else "an ordinary user"


def _read_switches() -> dict[str, str | None]:
    values: dict[str, str | None] = {}
    for name, _, _ in SWITCHES:
        with suppress(OSError):
            values[name] = Path("/proc/sys", name).read_text().strip()
    return values


def describe_errno(number: int) -> str:
    return describe(OSError(number, os.strerror(number)))
