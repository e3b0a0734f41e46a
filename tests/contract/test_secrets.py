"""Secrets and environment files that the test registers, and those that it does not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pytest_kecs.kecs import Kecs

pytestmark = pytest.mark.documented

SHOW = "import json, os; print(json.dumps(dict(os.environ)))"
ROLE = {"executionRoleArn": "arn:aws:iam::123456789012:role/execution"}
SECRET = "arn:aws:secretsmanager:us-east-1:123456789012:secret"
PARAMETER = "arn:aws:ssm:us-east-1:123456789012:parameter"
FILE = "arn:aws:s3:::settings"
FARGATE = {
    **ROLE,
    "networkMode": "awsvpc",
    "requiresCompatibilities": ["FARGATE"],
    "cpu": "256",
    "memory": "512",
}
BY_ASM = (
    "ResourceInitializationError: unable to pull secrets or registry auth: execution resource "
    "retrieval failed: unable to retrieve secret from asm: service call has been retried 1 "
    "time(s): "
)
LOGIN = (
    "ResourceInitializationError: unable to pull secrets or registry auth: execution resource "
    "retrieval failed: unable to retrieve secret from asm: asm fetching "
)


def secrets(**values: str) -> list[dict[str, str]]:
    return [{"name": name, "valueFrom": value} for name, value in values.items()]


def files(*names: str) -> list[dict[str, str]]:
    return [{"type": "s3", "value": f"{FILE}/{name}"} for name in names]


@pytest.fixture
def environ(kecs: Kecs, register: Any, python: tuple[str, str]) -> Any:
    """Run a container; the variables that it found."""
    image, interpreter = python

    def run(overrides: Any = None, **definition: Any) -> Any:
        app = {"image": image, "command": [interpreter, "-c", SHOW], **definition}
        task = kecs.run_task(register(task=ROLE, app=app), overrides=overrides)
        kecs.assert_stopped(task, exit_code=0)
        return json.loads(kecs.logs(task))

    return run


def test_secrets_become_variables(kecs: Kecs, environ: Any) -> None:
    kecs.set_secret(f"{SECRET}:full-AbCdEf", "by full ARN")
    kecs.set_secret(f"{SECRET}:partial", "by partial ARN")
    kecs.set_secret("name", "by name")
    kecs.set_secret("/app/token", b"a parameter by name")
    kecs.set_secret(f"{PARAMETER}/app/other", "a parameter by ARN")
    kecs.set_secret("db", {"user": "me", "port": 5432})
    found = environ(
        secrets=secrets(
            FULL=f"{SECRET}:full-AbCdEf",
            PARTIAL=f"{SECRET}:partial-AbCdEf",
            NAME=f"{SECRET}:name-AbCdEf",
            TOKEN="/app/token",
            OTHER="/app/other",
            TOKEN_BY_ARN=f"{PARAMETER}/app/token",
            USER_NAME=f"{SECRET}:db-AbCdEf:user::",
            PORT=f"{SECRET}:db-AbCdEf:port::",
            DB=f"{SECRET}:db-AbCdEf",
        )
    )
    expected = {
        "FULL": "by full ARN",
        "PARTIAL": "by partial ARN",
        "NAME": "by name",
        "TOKEN": "a parameter by name",
        "OTHER": "a parameter by ARN",
        "TOKEN_BY_ARN": "a parameter by name",
        "USER_NAME": "me",
        "PORT": "5432",
        "DB": '{"user": "me", "port": 5432}',
    }
    assert {name: found[name] for name in expected} == expected


def test_stages_and_versions_of_a_secret(kecs: Kecs, environ: Any) -> None:
    kecs.set_secret("s", "first", version="v1")
    kecs.set_secret("s", "second", version="v2")
    kecs.set_secret("s", "next", stage="AWSPENDING")
    found = environ(
        secrets=secrets(
            CURRENT=f"{SECRET}:s-AbCdEf",
            BEFORE=f"{SECRET}:s-AbCdEf::AWSPREVIOUS:",
            PENDING=f"{SECRET}:s-AbCdEf::AWSPENDING:",
            FIRST=f"{SECRET}:s-AbCdEf:::v1",
        )
    )
    assert (found["CURRENT"], found["BEFORE"], found["PENDING"], found["FIRST"]) == (
        "second",
        "first",
        "next",
        "first",
    )


def test_environment_files(kecs: Kecs, environ: Any) -> None:
    kecs.put_env_file(f"{FILE}/one.env", "# FIRST=no\nFIRST=1\nBOTH=one\n\nEMPTY=\nno line\n")
    kecs.put_env_file(f"{FILE}/two.env", "BOTH=two\r\nQUOTED='a b' # $HOME=x\r\nSET=file\n")
    kecs.put_env_file(f"{FILE}/more.env", "BOTH=three\nADDED=yes\nFROM=file\n")
    kecs.set_secret("/token", "secret")
    override = {
        "name": "app",
        "environmentFiles": files("more.env"),
        "environment": [{"name": "OVER", "value": "override"}],
    }
    found = environ(
        {"containerOverrides": [override]},
        environmentFiles=files("one.env", "two.env"),
        environment=[{"name": "SET", "value": "definition"}, {"name": "OVER", "value": "x"}],
        secrets=secrets(FROM="/token"),
    )
    names = ("FIRST", "BOTH", "QUOTED", "SET", "ADDED", "FROM", "OVER")
    assert [found.get(name) for name in names] == [
        "1",
        "one",
        "'a b' # $HOME=x",
        "definition",
        "yes",
        "secret",
        "override",
    ]
    assert "EMPTY" not in found


def test_what_a_shell_might_expand(environ: Any, kecs: Kecs) -> None:
    value = "$HOME $$ $(HOME) ${HOME}\n'\" \\ ü "
    kecs.set_secret("a", value)
    override = {"name": "app", "environment": [{"name": "OVER", "value": "$(VALUE)"}]}
    found = environ({"containerOverrides": [override]}, secrets=secrets(VALUE="a"))
    assert (found["VALUE"], found["OVER"]) == (value, "$(VALUE)")


def test_each_container_has_its_own(kecs: Kecs, register: Any) -> None:
    kecs.set_secret("a", "of one")
    show = 'test -n "$TOKEN" && echo has it; exit 0'
    task = kecs.run_task(
        register(
            task=ROLE,
            one={"command": show, "secrets": secrets(TOKEN="a")},
            two={"command": show, "essential": False},
        )
    )
    kecs.wait_stopped(task)
    assert (kecs.logs(task, "one"), kecs.logs(task, "two")) == ("has it\n", "")


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        (
            {"secrets": secrets(X=f"{SECRET}:none-AbCdEf")},
            f"{BY_ASM}ResourceNotFoundException: Secrets Manager can't find the specified secret.",
        ),
        (
            {"secrets": secrets(X=f"{SECRET}:db-AbCdEf:colour::")},
            f"{BY_ASM}retrieved secret from Secrets Manager did not contain json key colour",
        ),
        (
            {"secrets": secrets(X=f"{SECRET}:db-AbCdEf::AWSPENDING:")},
            f"{BY_ASM}ResourceNotFoundException: Secrets Manager can't find the specified secret "
            "value for staging label: AWSPENDING",
        ),
        (
            {"secrets": secrets(X="/no/such")},
            "ResourceInitializationError: unable to pull secrets or registry auth: execution "
            "resource retrieval failed: unable to retrieve secrets from ssm: invalid parameters: "
            "/no/such",
        ),
        (
            {"environmentFiles": files("none.env")},
            f"ResourceInitializationError: failed to download env files: {FILE}/none.env: "
            "NoSuchKey: The specified key does not exist.",
        ),
        (
            {
                "logConfiguration": {
                    "logDriver": "splunk",
                    "options": {"splunk-url": "https://splunk"},
                    "secretOptions": secrets(**{"splunk-token": f"{SECRET}:none-AbCdEf"}),
                }
            },
            f"{BY_ASM}ResourceNotFoundException: Secrets Manager can't find the specified secret.",
        ),
        (
            {"repositoryCredentials": {"credentialsParameter": f"{SECRET}:none-AbCdEf"}},
            f"{BY_ASM}ResourceNotFoundException: Secrets Manager can't find the specified secret.",
        ),
        (
            {"repositoryCredentials": {"credentialsParameter": "db"}},
            LOGIN + "username: AuthorizationData is malformed, empty field",
        ),
    ],
    ids=["secret", "json-key", "stage", "parameter", "file", "log-option", "registry", "login"],
)
@pytest.mark.parametrize("task", [ROLE, FARGATE], ids=["EC2", "FARGATE"])
def test_what_is_missing_fails_the_task(
    kecs: Kecs, register: Any, task: Any, members: Any, reason: str
) -> None:
    kecs.set_secret("db", {"user": "me"})
    family = register(task=task, app={"command": "true", **members})
    stopped = kecs.wait_stopped(kecs.run_task(family))
    assert (stopped["stopCode"], stopped["stoppedReason"]) == ("TaskFailedToStart", reason)
    assert "startedAt" not in stopped
    assert "exitCode" not in stopped.containers["app"]


@pytest.mark.parametrize("parameter", ["registry", f"{SECRET}:registry-AbCdEf"])
def test_credentials_of_a_private_registry(kecs: Kecs, register: Any, parameter: str) -> None:
    """With them a container runs whose image needs no pull."""
    kecs.set_secret("registry", {"username": "me", "password": "hunter2"})
    app = {"command": "true", "repositoryCredentials": {"credentialsParameter": parameter}}
    kecs.assert_stopped(kecs.run_task(register(task=ROLE, app=app)), exit_code=0)


def test_values_are_read_at_the_start(kecs: Kecs, register: Any) -> None:
    kecs.set_secret("a", "old")
    family = register(task=ROLE, app={"command": 'echo "$TOKEN"', "secrets": secrets(TOKEN="a")})
    first = kecs.run_task(family)
    kecs.assert_stopped(first, exit_code=0)
    kecs.set_secret("a", "new")
    second = kecs.run_task(family)
    kecs.assert_stopped(second, exit_code=0)
    assert (kecs.logs(first), kecs.logs(second)) == ("old\n", "new\n")


def test_secrets_are_nowhere_to_be_seen(kecs: Kecs, ecs_client: Any, register: Any) -> None:
    kecs.set_secret("a", "hunter2\nsecond line")
    kecs.put_env_file(f"{FILE}/x.env", "SETTING=from-a-file")
    family = register(
        task=ROLE,
        app={
            "command": 'echo "say $TOKEN"; exit 3',
            "secrets": secrets(TOKEN="a"),
            "environmentFiles": files("x.env"),
        },
    )
    task = kecs.run_task(family)
    kecs.assert_stopped(task, exit_code=3)
    assert kecs.logs(task) == "say hunter2\nsecond line\n"
    with pytest.raises(AssertionError, match=r"say \*\*\*\*") as caught:
        kecs.assert_stopped(task, exit_code=0)
    seen = [
        str(caught.value),
        str(ecs_client.describe_tasks(tasks=[task["taskArn"]])["tasks"]),
        str(ecs_client.describe_task_definition(taskDefinition=family)["taskDefinition"]),
    ]
    assert not [text for text in seen if "hunter2" in text or "second line" in text]
    assert not [text for text in seen if "from-a-file" in text]
