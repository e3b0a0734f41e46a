"""FireLens: one container of a task gets the lines of others, in Fluent's forward protocol, and
leads them where its configuration says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kecs_server.domain.task import Container
from kecs_server.domain.task import Task

Structure = dict[str, Any]

PORT = 24224
"""Where the router listens."""

_OF_THE_DRIVER = ("include-pattern", "exclude-pattern", "log-driver-buffer-limit")
"""Options of awsfirelens that are not of an output."""


def is_router(definition: Structure) -> bool:
    """Of a container."""
    return "firelensConfiguration" in definition


def logs_to_router(definition: Structure) -> bool:
    """Whether its lines go there."""
    driver: str | None = definition.get("logConfiguration", {}).get("logDriver")
    return driver == "awsfirelens"


def router_of(task: Task) -> Container | None:
    """None: the task has none, as most."""
    return next((each for each in task.containers if is_router(each.definition)), None)


def tag_of(task: Task, container: Container) -> str:
    """By which the router's configuration tells the containers apart."""
    return f"{container.name}-firelens-{task.id}"


def metadata_of(task: Task) -> dict[str, str]:
    """What each record has of its task, unless the router's options say that it has not."""
    router = router_of(task)
    if router is None:
        return {}
    options = router.definition["firelensConfiguration"].get("options", {})
    if options.get("enable-ecs-log-metadata") == "false":
        return {}
    return {
        "ecs_cluster": task.cluster_arn.rpartition("/")[2],
        "ecs_task_arn": task.arn,
        "ecs_task_definition": f"{task.task_definition.family}:{task.task_definition.revision}",
    }


def configuration(
    task: Task, address: tuple[str, int], secret_options: Mapping[str, Mapping[str, str]]
) -> tuple[str, str]:
    """Path and text of the file that the task's router is configured by, as the agent writes it:
    where it listens, what is added to records, the user's own file, and an output for each
    container that has options. What records have already is set again: those of programs that
    speak to the router themselves do not have it.

    :param secret_options: of each container, those of its log driver that come from secrets.
    """
    router = router_of(task)
    assert router is not None
    given = router.definition["firelensConfiguration"]
    options = given.get("options", {})
    own = options["config-file-value"] if options.get("config-file-type") == "file" else None
    outputs = {
        f"{each.name}-firelens": {
            **each.definition["logConfiguration"].get("options", {}),
            **secret_options.get(each.name, {}),
        }
        for each in task.containers
        if logs_to_router(each.definition)
    }
    writer = _Fluentd() if given["type"] == "fluentd" else _FluentBit()
    parts = [writer.listen(*address)]
    if said := metadata_of(task):
        parts.append(writer.say(said))
    for tag, output in outputs.items():
        for name in ("include-pattern", "exclude-pattern"):
            if name in output:
                parts.append(writer.sift(tag, output[name], keep=name == "include-pattern"))
    if own is not None:
        parts.append(writer.include(own))
    for tag, output in outputs.items():
        kind = output.get(writer.kind)
        if kind is not None:
            rest = {name: each for name, each in output.items() if name not in _OF_THE_DRIVER}
            parts.append(writer.put(tag, kind, {k: v for k, v in rest.items() if k != writer.kind}))
    return writer.path, "\n".join(parts)


class _FluentBit:
    path = "/fluent-bit/etc/fluent-bit.conf"
    kind = "Name"

    def listen(self, host: str, port: int) -> str:
        return _section("[INPUT]", {"Name": "forward", "Listen": host, "Port": str(port)})

    def say(self, members: Mapping[str, str]) -> str:
        head = _section("[FILTER]", {"Name": "modify", "Match": "*"})
        return head + "".join(f"    Set {name} {text}\n" for name, text in members.items())

    def sift(self, tag: str, pattern: str, *, keep: bool) -> str:
        rule = {"Regex" if keep else "Exclude": f"log {pattern}"}
        return _section("[FILTER]", {"Name": "grep", "Match": f"{tag}*", **rule})

    def include(self, path: str) -> str:
        return f"@INCLUDE {path}\n"

    def put(self, tag: str, kind: str, options: Mapping[str, str]) -> str:
        return _section("[OUTPUT]", {"Name": kind, "Match": f"{tag}*", **options})


class _Fluentd:
    path = "/fluentd/etc/fluent.conf"
    kind = "@type"

    def listen(self, host: str, port: int) -> str:
        members = {"@type": "forward", "bind": host, "port": str(port)}
        return _section("<source>", members) + "</source>\n"

    def say(self, members: Mapping[str, str]) -> str:
        head = _section("<filter **>", {"@type": "record_transformer"})
        record = "".join(f"        {name} {text}\n" for name, text in members.items())
        return f"{head}    <record>\n{record}    </record>\n</filter>\n"

    def sift(self, tag: str, pattern: str, *, keep: bool) -> str:
        name = "regexp" if keep else "exclude"
        rule = f"        key log\n        pattern {pattern}\n"
        head = _section(f"<filter {tag}**>", {"@type": "grep"})
        return f"{head}    <{name}>\n{rule}    </{name}>\n</filter>\n"

    def include(self, path: str) -> str:
        return f"@include {path}\n"

    def put(self, tag: str, kind: str, options: Mapping[str, str]) -> str:
        return _section(f"<match {tag}**>", {"@type": kind, **options}) + "</match>\n"


def _section(head: str, members: Mapping[str, str]) -> str:
    return f"{head}\n" + "".join(f"    {name} {text}\n" for name, text in members.items())
