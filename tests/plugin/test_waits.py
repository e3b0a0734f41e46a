"""Waits and assertions of the `kecs` fixture against real tasks."""

from __future__ import annotations

import pytest
from inner_runs import run


def test_waits_and_assertions(inner: pytest.Pytester) -> None:
    inner.makepyfile(
        """
        import re
        import time

        import pytest
        from pytest_kecs.running import TaskNotStarted
        from pytest_kecs.waiting import WaitError
        from pytest_kecs.waiting import WaitTimeout
        from tasks import register
        from tasks import shell

        def test_stopped(ecs_client, kecs):
            shell(ecs_client, "worker", "echo out; echo err >&2; exit 3")
            task = kecs.run_task("worker")
            stopped = kecs.assert_stopped(
                task,
                exit_code=3,
                container="app",
                stop_code="EssentialContainerExited",
                reason=re.compile("^Essential container"),
            )
            assert stopped.exit_codes == {"app": 3}
            assert stopped["lastStatus"] == stopped.last_status == "STOPPED"
            assert kecs.logs(task, stream="stdout") == "out\\n"
            assert kecs.logs(task.arn, "app", "stderr") == "err\\n"
            assert kecs.logs(task) == "out\\nerr\\n"

        def test_running(ecs_client, kecs):
            register(ecs_client, "sleeper", "sleep", "600")
            task = kecs.run_task("sleeper")
            assert kecs.wait_running(task).last_status == "RUNNING"
            assert kecs.assert_running(task["taskArn"]).desired_status == "RUNNING"
            assert kecs.wait_running(task.id, cluster="default")

        def test_boto3_answers_can_be_waited_for(ecs_client, kecs):
            ecs_client.create_cluster(clusterName="other")
            shell(ecs_client, "worker", "exit 0")
            answer = ecs_client.run_task(cluster="other", taskDefinition="worker")
            kecs.assert_stopped(answer["tasks"][0], exit_code=0)

        def test_environment(ecs_client, kecs):
            shell(ecs_client, "worker", "echo $COLOUR $SIZE")
            override = {"name": "app", "environment": [{"name": "SIZE", "value": "L"}]}
            task = kecs.run_task(
                "worker",
                environment={"COLOUR": "red", "SIZE": "S"},
                overrides={"containerOverrides": [override]},
            )
            kecs.assert_stopped(task, exit_code=0)
            assert kecs.logs(task) == "red L\\n"

        def test_several(ecs_client, kecs):
            shell(ecs_client, "worker", "exit 0")
            for task in kecs.run_tasks("worker", count=3):
                kecs.assert_stopped(task, exit_code=0)

        def test_fargate(ecs_client, kecs):
            ecs_client.register_task_definition(
                family="worker",
                networkMode="awsvpc",
                requiresCompatibilities=["FARGATE"],
                cpu="256",
                memory="512",
                containerDefinitions=[{"name": "app", "image": "i", "command": ["true"]}],
            )
            task = kecs.run_task("worker")
            assert task["launchType"] == "FARGATE"
            kecs.assert_stopped(task, exit_code=0)

        def test_running_that_cannot_come(ecs_client, kecs):
            shell(ecs_client, "worker", "echo last words; exit 4")
            task = kecs.run_task("worker")
            kecs.wait_stopped(task)
            with pytest.raises(WaitError) as caught:
                kecs.wait_running(task, timeout=60)
            text = str(caught.value)
            assert not isinstance(caught.value, WaitTimeout)
            for part in ("not become RUNNING", "EssentialContainerExited", "exit 4", "last words"):
                assert part in text, text
            assert " ms" in text

        def test_time_that_is_over(ecs_client, kecs):
            register(ecs_client, "sleeper", "sleep", "600")
            task = kecs.run_task("sleeper")
            kecs.wait_running(task)
            with pytest.raises(WaitTimeout, match="was not STOPPED within 0.2 s"):
                kecs.wait_stopped(task, timeout=0.2)

        def test_wrong_assertions_say_what_was(ecs_client, kecs):
            shell(ecs_client, "worker", "exit 3")
            task = kecs.run_task("worker")
            with pytest.raises(AssertionError, match="had the exit code 3, not 0"):
                kecs.assert_stopped(task, exit_code=0)
            with pytest.raises(AssertionError, match="stop code is Essential.*, not User"):
                kecs.assert_stopped(task, stop_code="UserInitiated")
            with pytest.raises(AssertionError, match="no reason has 'oom' in it"):
                kecs.assert_stopped(task, reason="oom")
            with pytest.raises(ValueError, match="no container 'web'; the task has app"):
                kecs.assert_stopped(task, exit_code=0, container="web")

        def test_what_is_not_there(ecs_client, kecs):
            ecs_client.create_cluster()
            with pytest.raises(WaitError, match="knows no task"):
                kecs.wait_running("0" * 32)
            with pytest.raises(WaitError, match="knows no service web"):
                kecs.wait_stable("web")

        def test_pull_errors(ecs_client, kecs):
            register(ecs_client, "worker", "true")
            kecs.map_image("img", pull_error="no basic auth credentials")
            task = kecs.run_task("worker")
            kecs.assert_stopped(task, stop_code="TaskFailedToStart", reason="no basic auth")
            with pytest.raises(AssertionError, match="never had an exit code"):
                kecs.assert_stopped(task, exit_code=1)

        def test_services(ecs_client, kecs):
            register(ecs_client, "web", "sleep", "600")
            ecs_client.create_cluster()
            made = ecs_client.create_service(
                serviceName="web", taskDefinition="web", desiredCount=2
            )["service"]
            assert kecs.assert_service_stable(made)["runningCount"] == 2
            ecs_client.delete_service(service="web", force=True)
            with pytest.raises(WaitError, match="will not become stable"):
                kecs.wait_stable("web")
        """
    )
    run(inner, "-vv").assert_outcomes(passed=12)


def test_images_are_mapped_by_marker_and_ini(inner: pytest.Pytester) -> None:
    inner.makepyfile(
        program="import sys\nprint('program', *sys.argv[1:])",
        test_it="""
        import pytest

        HERE = {"command": ["{python}", "-m", "program", "by marker"]}
        HERE["working_directory"] = "{rootdir}"

        @pytest.mark.kecs(images={"marked:*": HERE})
        @pytest.mark.parametrize("image", ["marked:1", "listed:1"])
        def test_images(ecs_client, kecs, image):
            ecs_client.register_task_definition(
                family="f", containerDefinitions=[{"name": "app", "image": image, "memory": 64}]
            )
            task = kecs.run_task("f")
            kecs.assert_stopped(task, exit_code=0)
            assert kecs.logs(task).startswith("program by ")
        """,
    )
    inner.makeini("[pytest]\nkecs_images =\n  listed:* = {python} {rootdir}/program.py 'by ini'\n")
    run(inner).assert_outcomes(passed=2)


def test_waits_end_when_time_is_frozen(inner: pytest.Pytester) -> None:
    inner.makepyfile(
        """
        import time

        import pytest
        from pytest_kecs.waiting import WaitTimeout
        from tasks import register

        @pytest.fixture
        def frozen(monkeypatch):
            for name in ("time", "monotonic", "perf_counter"):
                value = getattr(time, name)()
                monkeypatch.setattr(time, name, lambda value=value: value)
            monkeypatch.setattr(time, "sleep", lambda _: None)

        def test_frozen(frozen, ecs_client, kecs):
            register(ecs_client, "sleeper", "sleep", "600")
            task = kecs.run_task("sleeper")
            kecs.wait_running(task)
            with pytest.raises(WaitTimeout):
                kecs.wait_stopped(task, timeout=0.3)
            ecs_client.stop_task(task=task.arn)
            kecs.assert_stopped(task, exit_code=143)
        """
    )
    run(inner).assert_outcomes(passed=1)


def test_botocores_waiters_return_at_the_change(inner: pytest.Pytester) -> None:
    inner.makepyfile(
        """
        import time

        from tasks import shell

        def test_waiter(ecs_client, kecs):
            shell(ecs_client, "worker", "sleep 0.3")
            task = kecs.run_task("worker")
            start = time.monotonic()
            ecs_client.get_waiter("tasks_running").wait(tasks=[task.arn])
            ecs_client.get_waiter("tasks_stopped").wait(tasks=[task.arn])
            assert time.monotonic() - start < 3
        """
    )
    run(inner).assert_outcomes(passed=1)
