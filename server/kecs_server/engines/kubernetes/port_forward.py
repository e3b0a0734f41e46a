"""A port of a Pod as a socket, over a websocket of the Kubernetes API.

The client library has the like; it fails on a close while data is on its way, and leaks then.
"""

from __future__ import annotations

import select
import socket
from contextlib import suppress
from threading import Thread
from typing import Any

_DATA = b"\x00"
_BUFFERED = 1 << 20
"""Bytes that wait in each direction before the sender has to."""

_CHUNK = 1 << 14


def forward(websocket: Any) -> socket.socket:
    """:param websocket: connected to one port of a Pod; it is closed when either side is."""
    near, far = socket.socketpair()
    pump = _Pump(websocket, far)
    Thread(target=pump.run, name="kecs-port-forward", daemon=True).start()
    return near


class _Pump:
    """Carries bytes between `far` and the websocket, where messages begin with a channel: 0 is
    data, 1 is an error, which ends it all. The protocol has no end of one direction alone: when
    the near side only stops sending, it can still read what comes.
    """

    def __init__(self, websocket: Any, far: socket.socket) -> None:
        self._websocket = websocket
        self._far = far
        self._to_pod = bytearray()
        self._to_near = bytearray()
        self._greeted = False
        self._pod_ended = False
        self._near_silent = False
        self._near_gone = False

    def run(self) -> None:
        from websocket import WebSocketException

        self._far.settimeout(0)
        try:
            with suppress(OSError, WebSocketException):
                while self._step():
                    pass
        finally:
            self._far.close()
            self._websocket.shutdown()

    def _step(self) -> bool:
        """Wait for something to carry, and carry it. False: there will be nothing more."""
        if self._pod_ended and not self._to_near:
            return False
        if self._near_gone and (self._pod_ended or not self._to_pod):
            return False
        pod, poll = self._websocket.sock, select.poll()
        if not self._pod_ended:
            poll.register(pod, self._events(self._to_near, self._to_pod))
        if not self._near_gone:
            come = self._events(self._to_pod, self._to_near)
            poll.register(self._far, come & ~select.POLLIN if self._near_silent else come)
        happened = dict(poll.poll())
        at_pod, at_near = happened.get(pod.fileno(), 0), happened.get(self._far.fileno(), 0)
        if at_pod & ~select.POLLOUT:
            self._receive(pod)
        if at_pod & select.POLLOUT:
            del self._to_pod[: pod.send(bytes(self._to_pod[:_CHUNK]))]
        if at_near & select.POLLIN:
            self._take(self._far.recv(_CHUNK))
        elif at_near & ~select.POLLOUT:
            while data := self._far.recv(_CHUNK):
                self._take(data)
            self._near_gone = True
        elif at_near:
            del self._to_near[: self._far.send(self._to_near)]
        return True

    @staticmethod
    def _events(come: bytearray, leaving: bytearray) -> int:
        """What to wait for at a side from which `come` came, and to which `leaving` goes."""
        receive = select.POLLIN if len(come) < _BUFFERED else 0
        return receive | (select.POLLOUT if leaving else 0)

    def _take(self, data: bytes) -> None:
        from websocket import ABNF

        if data:
            self._to_pod += ABNF.create_frame(_DATA + data, ABNF.OPCODE_BINARY).format()
        else:
            self._near_silent = True

    def _receive(self, pod: Any) -> None:
        """Take all messages that have come: those that TLS has read already wake no `poll`."""
        from websocket import ABNF
        from websocket import WebSocketException

        while True:
            try:
                kind, frame = self._websocket.recv_data_frame(control_frame=True)
            except (OSError, WebSocketException):
                self._pod_ended = True
                return
            if kind == ABNF.OPCODE_BINARY and frame.data[:1] != _DATA:
                self._pod_ended = len(frame.data) > 3 or self._pod_ended
            elif kind == ABNF.OPCODE_BINARY and self._greeted:
                self._to_near += frame.data[1:]
            elif kind == ABNF.OPCODE_BINARY:
                self._greeted = True  # the first message of a channel has but the port
            elif kind == ABNF.OPCODE_CLOSE:
                self._pod_ended = True
            if self._pod_ended or not (hasattr(pod, "pending") and pod.pending()):
                return
