"""What a container gets, seen from inside; and what a Pod cannot have."""

from __future__ import annotations

import json
import secrets
from pathlib import Path

from kecs_server.engines.base import ContainerSpec
from kecs_server.engines.base import Mount
from kecs_server.engines.base import TaskEnding
from kecs_server.engines.base import TaskLost
from kecs_server.engines.base import Tmpfs
from kecs_server.engines.base import Volume
from kecs_server.engines.base import VolumeKind
from kecs_server.engines.kubernetes.clusters import KubeconfigCluster
from kecs_server.engines.kubernetes.engine import KubernetesEngine
from kind_driver import Driver
from kind_driver import Lab
from test_kind_failures import never_started
from test_kind_tasks import shell


def output(driver: Driver, task: str, container: str) -> str:
    """What a container wrote that has come to its end, well."""
    assert driver.stopped(task, container).exit_code == 0
    return driver.logs(task, container).stdout.decode()


def test_user_and_rights(driver: Driver, image: str) -> None:
    capabilities = "grep CapEff /proc/self/status | cut -f 2"
    task = driver.start(
        shell("user", "id -u; id -g", image, user="1234:567"),
        shell("root", "id -u", image, user="root"),
        shell("name", "id -u", image, user="app"),
        shell("plain", capabilities, image),
        shell("privileged", capabilities, image, privileged=True),
        shell("none", capabilities, image, capabilities_dropped=("ALL",)),
        shell("one", capabilities, image, capabilities_dropped=("ALL",),
              capabilities_added=("NET_ADMIN",)),
        shell("fixed", "touch /file 2>&1 || touch /tmp/ok && echo done", image,
              read_only_root=True, tmpfs=(Tmpfs(path="/tmp", size=4),)),
    )  # fmt: skip

    assert output(driver, task, "user") == "1234\n567\n"
    assert output(driver, task, "root") == "0\n"
    assert "the user 'app' is not a number" in never_started(driver, task, "name")
    plain, privileged, none, one = (
        int(output(driver, task, name), 16) for name in ("plain", "privileged", "none", "one")
    )
    assert 0 < plain < privileged
    assert (none, one) == (0, 1 << 12)
    assert "Read-only file system" in output(driver, task, "fixed")
    assert output(driver, task, "fixed").endswith("done\n")


def test_what_the_pods_containers_have_in_common(driver: Driver, image: str) -> None:
    script = "hostname; cat /etc/resolv.conf /etc/hosts /proc/sys/net/ipv4/ip_local_port_range"
    one = shell(
        "one", script, image, hostname="web", hosts={"db.internal": "10.9.8.7"},
        dns_servers=("10.96.0.10",), system_controls={"net.ipv4.ip_local_port_range": "2000 3000"},
    )  # fmt: skip
    two = shell("two", script, image, dns_search_domains=("corp.example",))
    task = driver.start(one, two)

    seen = output(driver, task, "two").splitlines()

    assert seen[0] == "web"
    assert "nameserver 10.96.0.10" in seen
    assert "search corp.example" in seen
    assert ["10.9.8.7", "db.internal"] in [line.split() for line in seen]
    assert seen[-1].split() == ["2000", "3000"]
    assert output(driver, task, "one").splitlines() == seen


def test_a_system_control_that_kubelet_forbids(driver: Driver, image: str) -> None:
    controls = {"net.core.somaxconn": "500"}
    task = driver.start(shell("app", "true", image, system_controls=controls))

    lost = driver.wait(task, TaskLost)

    assert lost.reason.startswith("SysctlForbidden: ")
    assert "net.core.somaxconn" in lost.reason
    assert "SysctlForbidden" in never_started(driver, task, "app")


def test_input_and_terminal(driver: Driver, image: str) -> None:
    script = "test -t 1 && echo terminal; timeout 1 cat 2>/dev/null; echo $?"
    task = driver.start(
        shell("none", script, image),
        shell("open", script, image, interactive=True),
        shell("terminal", script, image, interactive=True, pseudo_terminal=True),
    )

    assert output(driver, task, "none") == "0\n"  # its input has an end
    # Nobody writes and nobody closes it; the shell may say so.
    assert "143" in output(driver, task, "open").splitlines()
    assert output(driver, task, "terminal").splitlines()[0] == "terminal"


def test_an_init_process(driver: Driver, image: str) -> None:
    """Without, the command is process 1, which ignores SIGTERM."""
    app = ContainerSpec(
        name="app", image=image, command=("sleep", "1000"), init=True, stop_timeout=20
    )
    leaves = shell("leaves", "sleep 4321 & sleep 2; exit 3", image)
    task = driver.run(app, leaves)
    assert driver.execute(task, "app", "cat /proc/1/cmdline")[1] != b"sleep\x001000\x00"
    assert driver.stopped(task, "leaves").exit_code == 3
    assert b"4321" not in driver.execute(task, "app", "ps")[1]  # what it left behind is gone

    driver.engine.stop_containers(task, ["app"])

    assert driver.stopped(task, "app").exit_code == 143


def test_namespaces_of_the_host(driver: Driver, image: str, lab: Lab) -> None:
    script = "hostname; ls -d /proc/[0-9]* | wc -l"
    task = driver.start(
        shell("app", script, image), network_mode="host", pid_mode="host", ipc_mode="host"
    )

    hostname, processes = output(driver, task, "app").split()

    assert hostname == lab.node
    assert int(processes) > 20


def test_docker_labels(driver: Driver, image: str, lab: Lab) -> None:
    labels = {"any key": "any value"}
    task = driver.run(shell("My_App", "exec sleep 1000", image, docker_labels=labels))

    annotations = lab.pod(driver, task)["metadata"]["annotations"]

    assert json.loads(annotations["kecs/docker-labels"]) == {"My_App": labels}


def test_volumes_of_a_task_and_of_the_host(driver: Driver, image: str, lab: Lab) -> None:
    name = f"/var/kecs-test-{driver.engine.name}"
    volumes = (
        Volume(name="Own_Data", kind=VolumeKind.TASK),
        Volume(name="host", kind=VolumeKind.HOST, source=name),
    )
    own, host = Mount(volume="Own_Data", path="/own"), Mount(volume="host", path="/host")
    read_only = Mount(volume="Own_Data", path="/read", read_only=True)
    wait = "while [ ! -e /read/file ]; do sleep 0.1; done; cat /read/file; "
    task = driver.start(
        shell("one", "echo mine > /own/new; mv /own/new /own/file; echo host > /host/file", image,
              mounts=(own, host)),
        shell("two", wait + "sh -c 'echo x > /read/file' 2>&1; echo $?", image,
              mounts=(read_only,)),
        volumes=volumes,
    )  # fmt: skip

    mine, error, code = output(driver, task, "two").splitlines()
    assert (mine, code) == ("mine", "1")
    assert "Read-only file system" in error
    again = driver.start(shell("app", "ls /own; cat /host/*", image, mounts=(own, host)),
                         volumes=volumes)  # fmt: skip
    assert output(driver, again, "app") == "host\n"


def test_volumes_that_tasks_share(kind: Driver, kubernetes: Driver, image: str) -> None:
    volume = Volume(name="efs", kind=VolumeKind.SHARED, source='efs/{"fileSystemId": "fs-1"}')
    mounts = (Mount(volume="efs", path="/efs"),)
    writer = kind.start(shell("app", "echo kept > /efs/file", image, mounts=mounts),
                        volumes=(volume,))  # fmt: skip
    output(kind, writer, "app")
    kind.remove(writer)
    reader = kind.start(shell("app", "cat /efs/file", image, mounts=mounts), volumes=(volume,))
    elsewhere = kubernetes.start(shell("app", "true", image, mounts=mounts),
                                 shell("other", "exit 0", image), volumes=(volume,))  # fmt: skip

    assert output(kind, reader, "app") == "kept\n"
    assert "for which only clusters made with kind have a place" in never_started(
        kubernetes, elsewhere, "app"
    )
    assert kubernetes.stopped(elsewhere, "other").exit_code == 0
    kind.remove_all()
    kubernetes.remove_all()


def test_file_systems_in_memory(driver: Driver, image: str) -> None:
    script = "grep -E ' (/fast|/dev/shm) ' /proc/mounts; echo x > /fast/file && cat /fast/file"
    fast = (Tmpfs(path="/fast", size=8),)
    task = driver.start(shell("app", script, image, tmpfs=fast, shared_memory=16))

    lines = output(driver, task, "app").splitlines()

    assert sorted(line.split()[1:3] for line in lines[:2]) == [
        ["/dev/shm", "tmpfs"],
        ["/fast", "tmpfs"],
    ]
    assert lines[2:] == ["x"]


def test_limits(driver: Driver, image: str) -> None:
    """The files are those of either version of control groups."""
    script = (
        "cd /sys/fs/cgroup; cat memory.max 2>/dev/null || cat memory/memory.limit_in_bytes; "
        "cat cpu.max 2>/dev/null || cat cpu/cpu.cfs_quota_us"
    )
    task = driver.start(
        shell("app", script, image, memory=96, cpu=128),
        shell("rest", script, image),
        cpu=512,
        memory=256,
    )

    memory, quota, *_ = output(driver, task, "app").split()

    assert (int(memory), int(quota)) == (96 << 20, 50_000)
    assert output(driver, task, "rest").split()[0] == str(256 << 20)


def test_what_a_node_of_another_kind_would_have(driver: Driver, image: str, lab: Lab) -> None:
    """Where no node has the architecture, another will do; nobody gains privileges."""
    script = "grep NoNewPrivs /proc/self/status"
    app = shell("app", script, image, security_options=("no-new-privileges",))
    task = driver.start(app, architecture="arm64")

    assert output(driver, task, "app").split() == ["NoNewPrivs:", "1"]


def test_gpus_that_no_node_has(lab: Lab, tmp_path: Path, image: str) -> None:
    cluster = KubeconfigCluster(kubeconfig=lab.kubeconfig)
    name = f"kecs-{secrets.token_hex(3)}"
    engine = KubernetesEngine(
        environment_name=name, directory=tmp_path, cluster=cluster, no_room_after=1
    )
    driver = Driver(engine)
    engine.open(driver.observe, driver.progress)
    task = driver.start(shell("app", "true", image, gpus=1))
    try:
        assert driver.wait(task, TaskLost).reason.startswith("RESOURCE:GPU: ")
    finally:
        engine.close()


def test_too_much_stored(driver: Driver, image: str) -> None:
    """Of all that the Pod has on disk; volumes with a size have one of their own."""
    write = "dd if=/dev/zero of={}/file bs=1M count=24 2>/dev/null; exec sleep 1000"
    volume = Volume(name="ebs", kind=VolumeKind.TASK, size=8)
    mounts = (Mount(volume="ebs", path="/ebs"),)
    whole = driver.start(
        shell("rest", "exec sleep 1000", image),
        shell("app", write.format("/tmp"), image),
        ephemeral_storage=8,
    )
    own = driver.start(
        shell("app", write.format("/ebs"), image, mounts=mounts),
        volumes=(volume,),
        ephemeral_storage=64,
    )
    fits = driver.start(
        shell("app", write.format("/tmp"), image, mounts=mounts),
        volumes=(volume,),
        ephemeral_storage=64,
    )

    for task, what in ((whole, "ephemeral local storage"), (own, "volume")):
        reason = driver.wait(task, TaskEnding, seconds=120).reason
        assert reason.startswith("The Pod was evicted: ")
        assert what in reason
    assert not [seen for seen in driver.seen(fits) if isinstance(seen, TaskEnding)]


def test_too_much_memory(driver: Driver, lab: Lab, python_image: str) -> None:
    script = "x = []\nwhile True: x.append(bytearray(b'x' * 1_000_000))"
    app = ContainerSpec(
        name="app", image=python_image, command=("python3", "-c", script), memory=48
    )
    task = driver.start(app)

    stopped = driver.stopped(task, "app")

    assert stopped.exit_code == 137
    assert stopped.reason == "OutOfMemoryError: Container killed due to memory usage"
