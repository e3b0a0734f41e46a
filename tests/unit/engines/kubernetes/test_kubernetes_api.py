"""Clusters that cannot be reached."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from datetime import UTC
from datetime import datetime
from datetime import timedelta
from pathlib import Path
from threading import Thread
from threading import Timer
from time import monotonic
from typing import Any

import pytest
import urllib3
from kecs_server.engines.base import EngineError
from kecs_server.engines.kubernetes import api
from kecs_server.engines.kubernetes.api import connect
from kecs_server.engines.kubernetes.api_errors import ApiError
from kecs_server.engines.kubernetes.clusters import KubeconfigCluster
from kecs_server.engines.kubernetes.engine import KubernetesEngine
from kecs_server.engines.kubernetes.lease import build_lease
from kecs_server.engines.kubernetes.lease import is_expired
from kecs_server.engines.kubernetes.reap import reap_expired
from kecs_server.engines.kubernetes.streams import Stream

KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: here
contexts: [{{name: here, context: {{cluster: c, user: u}}}}]
clusters: [{{name: c, cluster: {{server: "{server}", insecure-skip-tls-verify: true}}}}]
users: [{{name: u, user: {{token: t}}}}]
"""


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Path:
    """Of a cluster that is not there."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    path = tmp_path / "kubeconfig"
    path.write_text(KUBECONFIG.format(server=f"https://127.0.0.1:{port}"))
    return path


def open_engine(directory: Path, **cluster: Any) -> None:
    engine = KubernetesEngine(
        environment_name="kecs-1a2b3c", directory=directory, cluster=KubeconfigCluster(**cluster)
    )
    engine.open(lambda _: None, lambda _: None)


def test_no_such_kubeconfig(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"There is no kubeconfig file .*/nowhere"):
        open_engine(tmp_path, kubeconfig=tmp_path / "nowhere")


def test_no_such_context(tmp_path: Path, kubeconfig: Path) -> None:
    with pytest.raises(EngineError, match=r"cannot be used with the context 'there': .*there"):
        open_engine(tmp_path, kubeconfig=kubeconfig, context="there")


@pytest.mark.parametrize(
    "content", [b"{", b"just text", b"root:x:0:0:root:/root:/bin/sh", b"[1]", b"\xff\xfe\x00"]
)
def test_no_kubeconfig_at_all(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "kubeconfig"
    path.write_bytes(content)

    with pytest.raises(EngineError, match=f"^{re.escape(str(path))} is not a kubeconfig.$"):
        open_engine(tmp_path, kubeconfig=path)


def test_a_folder_is_no_kubeconfig(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"is a folder, not a kubeconfig file.$"):
        open_engine(tmp_path, kubeconfig=tmp_path)


@pytest.mark.parametrize("text", ["", "apiVersion: v1\nkind: Config"])
def test_a_kubeconfig_without_contexts(tmp_path: Path, text: str) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(text)

    with pytest.raises(EngineError, match="cannot be used with its current context"):
        open_engine(tmp_path, kubeconfig=path)


def test_a_kubeconfig_with_garbled_certificates(tmp_path: Path, kubeconfig: Path) -> None:
    text = kubeconfig.read_text()
    assert "certificate-authority-data" not in text
    kubeconfig.write_text(text.replace("server:", "certificate-authority-data: '###a', server:"))

    with pytest.raises(EngineError, match="cannot be used with its current context"):
        open_engine(tmp_path, kubeconfig=kubeconfig)


def test_nobody_there(tmp_path: Path, kubeconfig: Path) -> None:
    begin = monotonic()

    with pytest.raises(EngineError, match=r"does not answer: .*refused") as caught:
        open_engine(tmp_path, kubeconfig=kubeconfig)

    assert monotonic() - begin < 20  # it is asked for 60 s where it answers that it is busy
    assert str(kubeconfig) in str(caught.value)
    with pytest.raises(EngineError, match="does not answer"):
        reap_expired(kubeconfig, None)


def test_somebody_there_who_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "CONNECT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        path = tmp_path / "kubeconfig"
        path.write_text(KUBECONFIG.format(server=f"https://127.0.0.1:{server.getsockname()[1]}"))

        with pytest.raises(EngineError, match="does not answer"):
            open_engine(tmp_path, kubeconfig=path)


def test_a_call_is_repeated_as_long_as_patience_lasts(kubeconfig: Path) -> None:
    begin = monotonic()
    cluster = connect(kubeconfig, "here", patience=0.3)

    with pytest.raises(EngineError, match="does not answer"):
        cluster.delete_namespace("x")

    cluster.close()
    assert 0.1 < monotonic() - begin < 3


def test_closing_ends_what_waits(kubeconfig: Path) -> None:
    cluster = connect(kubeconfig, None, patience=60)
    cluster.close()

    with pytest.raises(EngineError, match="closing"):
        cluster.delete_namespace("x")


@pytest.fixture
def answer() -> Iterator[Any]:
    """An HTTP answer of which the first part has come."""
    with socket.create_server(("127.0.0.1", 0)) as server, urllib3.PoolManager() as pool:
        peers: list[socket.socket] = []

        def serve() -> None:
            peer, _ = server.accept()
            peers.append(peer)
            peer.recv(1 << 16)
            peer.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")

        thread = Thread(target=serve)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        response = pool.request("GET", url, preload_content=False)
        thread.join()
        yield response, peers[0]
        peers[0].close()


def test_a_stream_ends_when_it_is_closed_from_elsewhere(answer: Any) -> None:
    response, _ = answer
    stream = Stream(response)
    parts = iter(stream)
    assert next(parts) == b"one"
    closer = Timer(0.05, stream.close)
    closer.start()

    assert list(parts) == []
    closer.join()


def test_a_stream_that_has_ended_may_be_closed(answer: Any) -> None:
    response, peer = answer
    stream = Stream(response)
    parts = iter(stream)
    assert next(parts) == b"one"
    peer.sendall(b"0\r\n\r\n")

    assert list(parts) == []
    stream.close()
    stream.close()


def test_a_stream_that_breaks_says_so(answer: Any) -> None:
    response, peer = answer
    peer.close()

    with pytest.raises(ApiError, match="does not answer"):
        list(Stream(response))


def test_leases_expire() -> None:
    now = datetime(2026, 11, 24, 12, tzinfo=UTC)
    lease = build_lease("kecs-1a2b3c", now, 60)

    assert lease["spec"]["renewTime"] == "2026-11-24T12:00:00.000000Z"
    assert not is_expired(lease, now + timedelta(seconds=60))
    assert is_expired(lease, now + timedelta(seconds=61))
    assert is_expired({"spec": {}}, now)
