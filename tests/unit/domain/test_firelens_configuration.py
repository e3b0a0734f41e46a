"""The file by which a log router is configured."""

from __future__ import annotations

from typing import Any

import pytest
from kecs_server.domain.firelens import configuration
from made_tasks import made_task

ADDRESS = ("127.0.0.5", 24224)

FLUENT_BIT = """\
[INPUT]
    Name forward
    Listen 127.0.0.5
    Port 24224

[FILTER]
    Name modify
    Match *
    Set ecs_cluster arn:c
    Set ecs_task_arn {arn}
    Set ecs_task_definition f:1

[FILTER]
    Name grep
    Match app-firelens*
    Regex log ^a

@INCLUDE /extra.conf

[OUTPUT]
    Name http
    Match app-firelens*
    Host example.com
    Token secret
"""

FLUENTD = """\
<source>
    @type forward
    bind 127.0.0.5
    port 24224
</source>

<filter **>
    @type record_transformer
    <record>
        ecs_cluster arn:c
        ecs_task_arn {arn}
        ecs_task_definition f:1
    </record>
</filter>

<filter app-firelens**>
    @type grep
    <exclude>
        key log
        pattern ^a
    </exclude>
</filter>

@include /extra.conf

<match app-firelens**>
    @type http
    Host example.com
    Token secret
</match>
"""


def task_of(kind: str, output: dict[str, str], options: dict[str, str]) -> Any:
    app = {"logConfiguration": {"logDriver": "awsfirelens", "options": output}}
    router = {"firelensConfiguration": {"type": kind, "options": options}}
    definitions = [
        {"name": "app", "image": "i", **app},
        {"name": "quiet", "image": "i"},
        {"name": "router", "image": "i", **router},
    ]
    return made_task({"containerDefinitions": definitions}, launch_type="EC2")


@pytest.mark.parametrize(
    ("kind", "name", "pattern", "path", "text"),
    [
        ("fluentbit", "Name", "include", "/fluent-bit/etc/fluent-bit.conf", FLUENT_BIT),
        ("fluentd", "@type", "exclude", "/fluentd/etc/fluent.conf", FLUENTD),
    ],
)
def test_all_that_it_can_say(kind: str, name: str, pattern: str, path: str, text: str) -> None:
    given = {
        name: "http",
        f"{pattern}-pattern": "^a",
        "Host": "example.com",
        "log-driver-buffer-limit": "10",
    }
    own = {"config-file-type": "file", "config-file-value": "/extra.conf"}
    task = task_of(kind, given, options=own)
    found = configuration(task, ADDRESS, {"app": {"Token": "secret"}})
    assert found == (path, text.format(arn=task.arn))


def test_without_options_it_only_listens() -> None:
    task = task_of("fluentbit", {}, options={"enable-ecs-log-metadata": "false"})
    _, text = configuration(task, ADDRESS, {})
    assert text == FLUENT_BIT.partition("\n\n")[0] + "\n"
