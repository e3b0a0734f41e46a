"""AWS_* variables, clients made at import time, child processes, and tests that are not ours."""

from __future__ import annotations

import os

import pytest
from inner_runs import run


def test_variables_are_put_back_for_tests_that_are_not_ours(
    inner: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "work")
    monkeypatch.setenv("AWS_REGION", "ap-south-1")
    inner.makepyfile(
        """
        import os
        import pytest

        BEFORE = {"AWS_PROFILE": "work", "AWS_REGION": "ap-south-1"}

        def aws():
            return {name: value for name, value in os.environ.items() if name.startswith("AWS_")}

        AT_IMPORT = aws()

        def test_at_import():
            assert AT_IMPORT["AWS_REGION"] == "us-east-1"
            assert "AWS_PROFILE" not in AT_IMPORT

        def test_plain():
            assert aws() == BEFORE

        @pytest.mark.kecs
        def test_ours():
            assert aws() == AT_IMPORT

        @pytest.mark.kecs(region="eu-west-1")
        def test_region(ecs_client):
            assert os.environ["AWS_DEFAULT_REGION"] == "eu-west-1"
            assert ecs_client.meta.region_name == "eu-west-1"
            arn = ecs_client.create_cluster()["cluster"]["clusterArn"]
            assert arn == "arn:aws:ecs:eu-west-1:123456789012:cluster/default"

        def test_plain_again():
            assert aws() == BEFORE
        """
    )
    run(inner).assert_outcomes(passed=5)
    run(inner, "-n2").assert_outcomes(passed=5)


def test_early_export_can_be_turned_off(inner: pytest.Pytester) -> None:
    inner.makepyfile(
        """
        import os
        import pytest

        AT_IMPORT = os.environ.get("AWS_ENDPOINT_URL_ECS")

        @pytest.mark.kecs
        def test_ours():
            assert AT_IMPORT is None
            assert "AWS_ENDPOINT_URL_ECS" in os.environ
        """
    )
    run(inner, "-o", "kecs_env=marked").assert_outcomes(passed=1)


def test_after_the_run_the_variables_are_as_before(
    inner: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_REGION", "ap-south-1")
    inner.makepyfile("def test_plain(): pass")
    before = _aws_and_proxy()
    inner.runpytest_inprocess()
    assert _aws_and_proxy() == before


def _aws_and_proxy() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if "AWS_" in k or "PROXY" in k.upper()}


CLIENTS_AT_IMPORT = """
    import os
    import subprocess
    import sys

    import boto3
    import pytest

    import conftest

    client = boto3.client("ecs")
    CHILD = "import boto3; print(boto3.client('ecs').list_clusters()['clusterArns'])"

    @pytest.mark.parametrize("number", range(4))
    def test_all_see_the_same_world(number, ecs_client):
        assert ecs_client.list_clusters()["clusterArns"] == []
        arn = ecs_client.create_cluster(clusterName=f"c{number}")["cluster"]["clusterArn"]
        assert client.list_clusters()["clusterArns"] == [arn]
        assert conftest.client.list_clusters()["clusterArns"] == [arn]
        assert boto3.client("ecs").list_clusters()["clusterArns"] == [arn]

    def test_a_child_process_sees_it_too(ecs_client):
        arn = ecs_client.create_cluster(clusterName="parent")["cluster"]["clusterArn"]
        child = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, text=True)
        assert child.stdout.strip() == str([arn]), child.stderr
"""


@pytest.mark.parametrize("arguments", [[], ["-n2"]], ids=["alone", "xdist"])
def test_clients_made_at_import_see_the_tests_realm(
    inner: pytest.Pytester, arguments: list[str]
) -> None:
    inner.makeconftest("import boto3\nclient = boto3.client('ecs')")
    inner.makepyfile(CLIENTS_AT_IMPORT)
    run(inner, *arguments).assert_outcomes(passed=5)


def test_a_client_at_import_may_call_before_any_test(inner: pytest.Pytester) -> None:
    inner.makeconftest(
        """
        import boto3
        ARN = boto3.client("ecs").create_cluster(clusterName="early")["cluster"]["clusterArn"]
        """
    )
    inner.makepyfile(
        """
        def test_has_a_fresh_world(ecs_client):
            assert ecs_client.list_clusters()["clusterArns"] == []
        """
    )
    run(inner).assert_outcomes(passed=1)


def test_fixtures_may_be_asked_for_late(inner: pytest.Pytester) -> None:
    inner.makepyfile(
        """
        import os

        def test_late(request):
            assert "AWS_ENDPOINT_URL_ECS" not in os.environ
            client = request.getfixturevalue("ecs_client")
            assert "AWS_ENDPOINT_URL_ECS" in os.environ
            assert client.list_clusters()["clusterArns"] == []

        def test_other():
            assert "AWS_ENDPOINT_URL_ECS" not in os.environ
        """
    )
    run(inner).assert_outcomes(passed=2)


def test_accounts_and_regions_are_apart(inner: pytest.Pytester) -> None:
    inner.makepyfile(
        """
        import pytest

        @pytest.mark.kecs(account="210987654321")
        def test_accounts(ecs_client, ecs_client_factory):
            arn = ecs_client.create_cluster()["cluster"]["clusterArn"]
            assert arn == "arn:aws:ecs:us-east-1:210987654321:cluster/default"
            other = ecs_client_factory(account="111122223333", region="eu-central-1")
            assert other.list_clusters()["clusterArns"] == []
            arn = other.create_cluster()["cluster"]["clusterArn"]
            assert arn == "arn:aws:ecs:eu-central-1:111122223333:cluster/default"
            assert len(ecs_client.list_clusters()["clusterArns"]) == 1
        """
    )
    run(inner).assert_outcomes(passed=1)


SHARED_FIXTURES = """
    import os

    import boto3
    import pytest

    @pytest.fixture(autouse=True, scope="session")
    def client_of_all():
        return boto3.client("ecs")

    @pytest.fixture(scope="session")
    def client_of_some(client_of_all):
        return boto3.client("ecs")

    @pytest.fixture(scope="session")
    def others_region():
        return os.environ["AWS_REGION"]

    @pytest.fixture(scope="class")
    def class_region():
        return os.environ["AWS_REGION"]

    def test_plain_first(client_of_some, others_region):
        assert others_region == os.environ["AWS_REGION"] == "ap-south-1"

    class TestPlain:
        def test_it(self, class_region):
            assert class_region == "ap-south-1"

    class TestBoth:
        def test_plain(self, class_region):
            assert class_region == "us-east-1"
            assert os.environ["AWS_REGION"] == "ap-south-1"

        @pytest.mark.kecs
        def test_ours(self, class_region): pass

    def test_ours(client_of_all, client_of_some, ecs_client):
        arn = ecs_client.create_cluster()["cluster"]["clusterArn"]
        assert client_of_all.list_clusters()["clusterArns"] == [arn]
        assert client_of_some.list_clusters()["clusterArns"] == [arn]
"""


@pytest.mark.parametrize("arguments", [[], ["-n1"], ["-o", "kecs_env=marked"]], ids=str)
def test_a_shared_fixture_finds_the_environment_whoever_comes_first(
    inner: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.setenv("AWS_REGION", "ap-south-1")
    inner.makepyfile(SHARED_FIXTURES)
    run(inner, *arguments).assert_outcomes(passed=5)


MOTO_SUITE = """
    import os

    import boto3
    import pytest
    from moto import mock_aws

    @pytest.fixture
    def aws_credentials():
        os.environ["AWS_ACCESS_KEY_ID"] = "testing"
        os.environ["AWS_SECRET_ACCESS_KEY"] = "testing"
        os.environ["AWS_SESSION_TOKEN"] = "testing"

    @pytest.fixture
    def ecs(aws_credentials):
        with mock_aws():
            yield boto3.client("ecs")

    def test_cluster(ecs):
        ecs.create_cluster(clusterName="mocked")
        arns = ecs.list_clusters()["clusterArns"]
        assert arns == ["arn:aws:ecs:eu-west-1:123456789012:cluster/mocked"]

    @mock_aws
    def test_bucket():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket="mine")
        assert [bucket["Name"] for bucket in client.list_buckets()["Buckets"]] == ["mine"]

    @mock_aws
    def test_waiter():
        ecs = boto3.client("ecs")
        ecs.create_cluster(clusterName="default")
        assert ecs.describe_clusters()["clusters"][0]["status"] == "ACTIVE"
"""


@pytest.mark.parametrize("plugin", [[], ["-p", "no:kecs"]], ids=["with", "without"])
def test_a_moto_suite_passes_unchanged(inner: pytest.Pytester, plugin: list[str]) -> None:
    inner.makeconftest("import os\nos.environ['AWS_DEFAULT_REGION'] = 'eu-west-1'")
    inner.makepyfile(MOTO_SUITE)
    inner.makeini("[pytest]\n")
    run(inner, *plugin).assert_outcomes(passed=3)
    run(inner, "-n2", *plugin).assert_outcomes(passed=3)


def test_a_nested_run_has_an_environment_of_its_own(inner: pytest.Pytester) -> None:
    inner.makepyfile(
        test_outer="""
        import os
        import subprocess
        import sys

        def test_outer(ecs_client):
            ecs_client.create_cluster(clusterName="outer")
            command = [sys.executable, "-m", "pytest", "-q", "inner_suite.py"]
            inner = subprocess.run(command, capture_output=True, text=True)
            assert inner.returncode == 0, inner.stdout + inner.stderr
        """,
        inner_suite="""
        def test_inner(ecs_client):
            assert ecs_client.list_clusters()["clusterArns"] == []
        """,
    )
    run(inner).assert_outcomes(passed=1)
    run(inner, "-n1").assert_outcomes(passed=1)


def test_a_test_that_is_run_again_has_a_fresh_world(inner: pytest.Pytester) -> None:
    inner.makeconftest(
        """
        import pytest
        from _pytest.runner import runtestprotocol

        @pytest.hookimpl(tryfirst=True)
        def pytest_runtest_protocol(item, nextitem):
            for last in (False, True):
                item._initrequest()
                reports = runtestprotocol(item, nextitem=nextitem, log=last)
            return True
        """
    )
    inner.makepyfile(
        """
        def test_it(ecs_client):
            assert ecs_client.list_clusters()["clusterArns"] == []
            ecs_client.create_cluster()
        """
    )
    run(inner).assert_outcomes(passed=1)


def test_unittest_cases_can_be_marked(inner: pytest.Pytester) -> None:
    inner.makepyfile(
        """
        import unittest

        import boto3
        import pytest

        @pytest.mark.kecs
        class TestCase(unittest.TestCase):
            def test_it(self):
                assert boto3.client("ecs").list_clusters()["clusterArns"] == []
        """
    )
    run(inner).assert_outcomes(passed=1)
