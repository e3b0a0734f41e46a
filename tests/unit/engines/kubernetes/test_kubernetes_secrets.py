"""The Secret of a task, and what its Pod says of it."""

from __future__ import annotations

import json
from base64 import b64decode
from dataclasses import replace
from typing import Any

import pytest
from kecs_server.domain.references import RegistryLogin
from kecs_server.engines.base import ContainerSpec
from kecs_server.engines.base import Mount
from kecs_server.engines.base import TaskSpec
from kecs_server.engines.base import Volume
from kecs_server.engines.base import VolumeKind
from kecs_server.engines.kubernetes.pods import build_pod
from kecs_server.engines.kubernetes.secrets import build_secret

LOGIN = RegistryLogin("me", "hunter2")


def task(*containers: ContainerSpec) -> TaskSpec:
    return TaskSpec(task_id="0" * 32, task_arn="arn", family="f", containers=containers)


def container(name: str = "app", **fields: Any) -> ContainerSpec:
    return ContainerSpec(name=name, image=fields.pop("image", "busybox:1"), **fields)


def values(spec: TaskSpec) -> dict[str, str]:
    secret = build_secret(spec, "env")
    assert secret is not None
    return {key: b64decode(text).decode() for key, text in secret["data"].items()}


def test_a_task_without_secrets_has_no_secret() -> None:
    spec = task(container(environment={"A": "b"}))
    assert build_secret(spec, "env") is None
    assert "imagePullSecrets" not in build_pod(spec, "env")["spec"]


def test_values_are_in_the_secret_and_not_in_the_pod() -> None:
    first = container("one", secrets={"TOKEN": "hunter2 $$(HOME) ü\n", "x.y": ""}, restarts=True)
    spec = task(first, container("Two", secrets={"TOKEN": "other"}, environment={"A": "$"}))
    pod, held = build_pod(spec, "env"), values(spec)
    assert "hunter2" not in str(pod)
    found = [
        {
            each["name"]: each.get("value") or held[each["valueFrom"]["secretKeyRef"]["key"]]
            for each in one["env"]
        }
        for one in pod["spec"]["containers"]
    ]
    of_first = {"TOKEN": "hunter2 $$(HOME) ü\n", "x.y": ""}
    # The copies of the first for its restarts come last.
    assert found == [of_first, {"A": "$$", "TOKEN": "other"}, *[of_first] * 5]


def test_files_are_in_the_secret_and_mounted_one_by_one() -> None:
    mounts = (Mount(volume="v", path="/etc/a"), Mount(volume="v", path="/data"))
    volumes = (Volume(name="v", kind=VolumeKind.TASK),)
    first = container("one", files={"/etc/a": "hunter2"}, mounts=mounts)
    spec = replace(task(first, container("two", files={"/b": "other"})), volumes=volumes)
    pod, held = build_pod(spec, "env"), values(spec)
    assert "hunter2" not in str(pod)
    assert pod["spec"]["volumes"][1:] == [
        {"name": "files", "secret": {"secretName": pod["metadata"]["name"], "optional": False}}
    ]
    found = [
        {each["mountPath"]: held.get(each.get("subPath", "")) for each in one["volumeMounts"]}
        for one in pod["spec"]["containers"]
    ]
    assert found == [{"/etc/a": "hunter2", "/data": None}, {"/b": "other"}]


def test_the_secret_is_named_and_found_like_the_pod() -> None:
    spec = task(container(secrets={"A": "b"}))
    secret, pod = build_secret(spec, "env"), build_pod(spec, "env")
    assert secret is not None
    assert secret["metadata"]["name"] == pod["metadata"]["name"]
    assert secret["metadata"]["labels"].items() <= pod["metadata"]["labels"].items()
    assert secret["type"] == "Opaque"


@pytest.mark.parametrize(
    ("image", "repository"),
    [
        ("busybox", "docker.io/library/busybox"),
        ("team/app:1", "docker.io/team/app"),
        ("registry.example.com/team/app:1", "registry.example.com/team/app"),
        ("127.0.0.1:5000/app:1", "127.0.0.1:5000/app"),
        ("localhost/app", "localhost/app"),
        ("r.example.com:5000/a/b@sha256:" + "0" * 64, "r.example.com:5000/a/b"),
        ("r.example.com/a:1@sha256:" + "0" * 64, "r.example.com/a"),
    ],
)
def test_a_login_is_kept_by_repository(image: str, repository: str) -> None:
    spec = task(container(image=image, login=LOGIN), container("other", secrets={"A": "b"}))
    secret = build_secret(spec, "env")
    assert secret is not None
    assert secret["type"] == "kubernetes.io/dockerconfigjson"
    auths = json.loads(values(spec)[".dockerconfigjson"])["auths"]
    assert list(auths) == [repository]
    assert b64decode(auths[repository]["auth"]) == b"me:hunter2"
    pod = build_pod(spec, "env")
    assert pod["spec"]["imagePullSecrets"] == [{"name": pod["metadata"]["name"]}]
    assert "hunter2" not in str(pod)


def test_a_spec_does_not_show_its_secrets() -> None:
    assert "hunter2" not in repr(task(container(login=LOGIN, secrets={"A": "hunter2"})))
