"""--kecs-artifacts: what is kept of tests, where it is told, and what goes wrong with it."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from xml.etree import ElementTree

import pytest
from inner_runs import run

TESTS = """
    import pytest
    from tasks import shell

    def fail(ecs_client, kecs):
        shell(ecs_client, "worker", "echo said this; exit 3")
        kecs.wait_stopped(kecs.run_task("worker"))
        ecs_client.describe_clusters(clusters=["\\a"])
        assert 0, "it broke"

    def test_fails(ecs_client, kecs):
        fail(ecs_client, kecs)

    @pytest.mark.parametrize("name", ["a/b", "\\u65e5", "x" * 300])
    def test_named(ecs_client, kecs, name):
        fail(ecs_client, kecs)

    @pytest.fixture
    def broken(ecs_client, kecs):
        yield
        fail(ecs_client, kecs)

    def test_in_teardown(broken): pass

    def test_passes(ecs_client):
        ecs_client.list_clusters()

    def test_plain():
        assert 0
"""


def recordings(root: Path) -> dict[str, dict[str, object]]:
    """What `test.json` says of each, by folder."""
    return {
        path.parent.name: json.loads(path.read_text())["test"] for path in root.glob("*/test.json")
    }


@pytest.mark.parametrize("arguments", [[], ["-n2"]], ids=["alone", "xdist"])
def test_what_failed_is_kept_and_told(inner: pytest.Pytester, arguments: list[str]) -> None:
    inner.makepyfile(TESTS)
    result = run(inner, "--kecs-artifacts=art", "--junitxml=report.xml", *arguments)
    result.assert_outcomes(failed=5, passed=2, errors=1)
    root = inner.path / "art"
    found = recordings(root)
    assert len(found) == 5
    assert {test["outcome"] for test in found.values()} == {"failed", "error"}
    own = root / "test_what_failed_is_kept_and_told.py-test_fails"
    assert found[own.name]["message"] == "AssertionError: it broke\nassert 0"
    entries = [json.loads(line) for line in (own / "recording.jsonl").read_text().splitlines()]
    assert {entry["kind"] for entry in entries} >= {"call", "task"}
    [log] = (own / "logs").iterdir()
    assert log.read_text().endswith(" stdout said this\n")
    assert [path.name for path in (own / "task-definitions").iterdir()] == ["worker-1.json"]
    result.stdout.fnmatch_lines(
        [
            "*- kecs: recordings -*",
            f"Of 5 tests in {root}. To look at them: kecs report {shlex.quote(str(root))}",
            f"  {root}/*/index.html",
        ]
    )
    cases = {
        case.attrib["name"]: case
        for case in ElementTree.parse(inner.path / "report.xml").iter("testcase")
    }
    for name in ("test_fails", "test_in_teardown"):
        text = cases[name].findtext("system-out") or ""
        pytest.LineMatcher(text.splitlines()).fnmatch_lines(
            [
                "kecs timeline (*)",
                "*RunTask *taskDefinition=worker count=1*",
                "*RUNNING*",
                r"*DescribeClusters *clusters=\x07",
            ]
        )
        [link] = cases[name].iter("property")
        assert link.attrib["name"] == "kecs_recording"
        assert Path(link.attrib["value"], "index.html").is_file()
    assert cases["test_passes"].find("system-out") is None
    assert cases["test_plain"].find("system-out") is None


def test_modes(inner: pytest.Pytester) -> None:
    inner.makepyfile(TESTS)
    chosen = ("-k", "test_passes or test_fails", "--kecs-artifacts=art")
    root = inner.path / "art"
    run(inner, *chosen, "--kecs-artifacts-mode=off").stdout.no_fnmatch_line("*kecs: recordings*")
    assert not root.exists()
    run(inner, *chosen, "--kecs-artifacts-mode=on")
    assert {test["outcome"] for test in recordings(root).values()} == {"passed", "failed"}
    # What an earlier run left of a test that is fine now is removed.
    run(inner, *chosen)
    assert {test["outcome"] for test in recordings(root).values()} == {"failed"}
    wrong = run(inner, *chosen, "--kecs-artifacts-mode=always")
    wrong.stderr.fnmatch_lines(["*--kecs-artifacts-mode: 'always'*retain-on-failure*"])


def test_the_ini_file_means_its_own_folder_and_attempts_are_kept(inner: pytest.Pytester) -> None:
    inner.makeini("[pytest]\nkecs_artifacts = art\naddopts = -p no:cacheprovider\n")
    inner.makeconftest(
        """
        from _pytest.runner import runtestprotocol

        def pytest_runtest_protocol(item, nextitem):
            for _ in range(2):
                for report in runtestprotocol(item, nextitem=nextitem, log=False):
                    item.ihook.pytest_runtest_logreport(report=report)
            return True
        """
    )
    inner.mkdir("below").joinpath("test_it.py").write_text(
        "import os\ndef test_it(ecs_client):\n    os.chdir('/')\n    assert 0\n"
    )
    result = inner.runpytest_subprocess("below", timeout=100)
    result.assert_outcomes(failed=2)
    found = recordings(inner.path / "art")
    assert {name: test["attempt"] for name, test in found.items()} == {
        "below-test_it.py-test_it": 1,
        "below-test_it.py-test_it-2": 2,
    }


def test_what_cannot_be_written_fails_no_test(inner: pytest.Pytester) -> None:
    inner.makepyfile(TESTS)
    inner.path.joinpath("file").write_text("")
    result = run(
        inner,
        "--kecs-artifacts=file/art",
        "--kecs-artifacts-mode=on",
        "-n1",
        "-k",
        "test_passes or test_fails",
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        ["NOT written, or not all, of 2 tests:", "  *::test_*: */file*: Not a directory"]
    )


def test_pages_of_pytest_html_have_it(inner: pytest.Pytester) -> None:
    """With what stands in for pytest-html: its plugin's name, and the attribute that it reads."""
    inner.makepyfile(TESTS)
    inner.makepyfile(
        html_stand_in="""
        import json

        def pytest_addoption(parser):
            parser.addoption("--html", dest="htmlpath")

        class Html: pass

        def pytest_configure(config):
            config.pluginmanager.register(Html(), "html")

        def pytest_runtest_logreport(report):
            with open("extras", "a") as file:
                for extra in getattr(report, "extras", []):
                    print(json.dumps([report.when, extra]), file=file)
        """
    )
    inner.syspathinsert()
    name = "test_pages_of_pytest_html_have_it.py-test_fails"
    run(
        inner,
        "-p",
        "html_stand_in",
        "--kecs-artifacts=art",
        "--html=out/a.html",
        "-k",
        "test_fails",
    )
    first, second = map(json.loads, (inner.path / "extras").read_text().splitlines())
    assert (first[0], first[1]["format_type"]) == ("call", "text")
    assert "RunTask" in first[1]["content"]
    assert (second[0], second[1]["format_type"]) == ("teardown", "url")
    assert second[1]["content"] == f"../art/{name}/index.html"
