"""`kecs_pid1`: SIGTERM as the first process of a container meets it on ECS."""

from __future__ import annotations

import pytest

TASKS = """
    import pytest

    HANDLING = "trap 'exit 4' TERM; echo ready; while :; do sleep 0.05; done"

    @pytest.mark.parametrize(
        ("command", "init", "code"),
        [
            (["sleep", "600"], False, 137),
            (["sleep", "600"], True, 143),
            (["sh", "-c", HANDLING], False, 4),
        ],
    )
    def test_stop(ecs_client, kecs, command, init, code):
        ecs_client.register_task_definition(
            family="app",
            containerDefinitions=[
                {
                    "name": "app",
                    "image": "busybox",
                    "memory": 64,
                    "command": command,
                    "stopTimeout": 2,
                    "linuxParameters": {"initProcessEnabled": init},
                }
            ],
        )
        task = kecs.run_task("app")
        kecs.wait_running(task)
        while command[0] == "sh" and "ready" not in kecs.logs(task):
            pass
        ecs_client.stop_task(cluster=task["clusterArn"], task=task.arn)
        stopped = kecs.assert_stopped(task, exit_code=code)
        took = (stopped["stoppedAt"] - stopped["stoppingAt"]).total_seconds()
        assert (took >= 2) == (code == 137)
"""


def test_what_does_not_handle_sigterm_is_killed_after_the_stop_timeout(
    inner: pytest.Pytester,
) -> None:
    inner.makepyfile(TASKS)
    inner.makeini("[pytest]\nkecs_pid1 = true\n")
    inner.runpytest_subprocess().assert_outcomes(passed=3)
