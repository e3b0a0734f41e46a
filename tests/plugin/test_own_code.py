"""A task runs the user's own code in the user's environment."""

from __future__ import annotations

import pytest

TESTS = """
    import pytest

    @pytest.fixture
    def run(ecs_client, kecs):
        def run(**container):
            ecs_client.register_task_definition(family="f", containerDefinitions=[
                {"name": "app", "image": "mine/worker:1", "memory": 64, **container}])
            task = kecs.run_task("f")
            kecs.assert_stopped(task, exit_code=3)
            return kecs.logs(task)
        return run

    def test_by_its_command(run):
        assert run(command=["python", "-m", "ownapp.worker", "a"]) == "worker of src a\\n"

    def test_by_a_stand_in(run):
        assert run() == "worker of src b\\n"

    def test_from_the_root(run):
        assert run(command=["python", "-m", "rootapp"]) == "rootapp\\n"
"""


@pytest.mark.parametrize("arguments", [[], ["-n2"]], ids=["alone", "xdist"])
def test_own_code_is_found(inner: pytest.Pytester, arguments: list[str]) -> None:
    inner.makeini(
        "[pytest]\nkecs_images =\n    mine/*:* = {python} -m ownapp.worker b\n"
        "addopts = -p no:cacheprovider\n"
    )
    package = inner.mkdir("src") / "ownapp"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "worker.py").write_text(
        "import sys, pytest\nprint('worker of src', sys.argv[1])\nsys.exit(3)\n"
    )
    (inner.path / "rootapp.py").write_text("print('rootapp')\nraise SystemExit(3)\n")
    inner.makepyfile(TESTS)
    result = inner.runpytest_subprocess(*arguments)
    result.assert_outcomes(passed=3)
