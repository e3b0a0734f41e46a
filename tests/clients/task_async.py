"""Run a task with aioboto3, and print its exit code and the account."""

from __future__ import annotations

import asyncio

import aioboto3

CONTAINER = {"name": "app", "image": "busybox", "memory": 64, "command": ["sh", "-c", "exit 3"]}


async def main() -> None:
    session = aioboto3.Session()
    async with session.client("ecs") as ecs, session.client("sts") as sts:
        await ecs.create_cluster()
        await ecs.register_task_definition(family="app", containerDefinitions=[CONTAINER])
        started = await asyncio.gather(*(ecs.run_task(taskDefinition="app") for _ in range(5)))
        arns = [task["taskArn"] for answer in started for task in answer["tasks"]]
        await ecs.get_waiter("tasks_stopped").wait(tasks=arns)
        described = await ecs.describe_tasks(tasks=arns)
        codes = {task["containers"][0]["exitCode"] for task in described["tasks"]}
        identity = await sts.get_caller_identity()
        print(*codes, identity["Account"])


asyncio.run(main())
