"""Steps that the tests of container instances share."""

from __future__ import annotations

from typing import Any


def new_instance(ecs: Any, **members: Any) -> dict[str, Any]:
    """An instance of 1024 CPU units and 1024 MiB, but for what `members` say."""
    members.setdefault("totalResources", [integer("CPU", 1024), integer("MEMORY", 1024)])
    answer = ecs.register_container_instance(**members)
    instance: dict[str, Any] = answer["containerInstance"]
    return instance


def integer(name: str, value: int) -> dict[str, Any]:
    return {"name": name, "type": "INTEGER", "integerValue": value}


def described(ecs: Any, arn: str, *include: str) -> dict[str, Any]:
    [instance] = ecs.describe_container_instances(containerInstances=[arn], include=include)[
        "containerInstances"
    ]
    return dict(instance)
