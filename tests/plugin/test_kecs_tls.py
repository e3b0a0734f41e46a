"""`kecs_tls`: clients of the test and of its child processes speak TLS, with nothing set up."""

from __future__ import annotations

import pytest

TESTS = """
    import os
    import subprocess
    import sys

    import boto3

    early = boto3.client("ecs")
    # In a task by plain HTTP: the certificate's authority is not in there.
    CALL = ["sh", "-c", 'echo $AWS_ENDPOINT_URL; test -z "$AWS_CA_BUNDLE"']
    AGAIN = "import boto3; print(boto3.client('ecs').list_clusters()['clusterArns'])"

    def test_all_of_them(ecs_client, kecs):
        for client in (ecs_client, early, boto3.client("ecs")):
            assert client.meta.endpoint_url.startswith("https://")
            client.create_cluster()
        printed = subprocess.check_output([sys.executable, "-c", AGAIN], text=True)
        assert "cluster/default" in printed
        assert boto3.client("sts").get_caller_identity()["Account"] == "123456789012"
        ecs_client.register_task_definition(
            family="app",
            containerDefinitions=[
                {"name": "app", "image": "busybox", "memory": 64, "command": CALL}
            ],
        )
        task = kecs.run_task("app")
        kecs.assert_stopped(task, exit_code=0)
        assert "http://" in kecs.logs(task)
        assert os.path.exists(os.environ["AWS_CA_BUNDLE"])
"""


def test_clients_speak_tls(inner: pytest.Pytester) -> None:
    inner.makepyfile(TESTS)
    inner.makeini("[pytest]\nkecs_tls = true\n")
    inner.runpytest_subprocess().assert_outcomes(passed=1)
