"""What nobody can ask for any more is not kept."""

from __future__ import annotations

from kecs_server.operations.tasks import TOKEN_LIFE
from probes.world import ACCOUNT
from probes.world import REGION
from probes.world import World


def test_tokens_of_run_task_are_let_go_after_their_life() -> None:
    world = World()
    tokens = world.realm.store(ACCOUNT, REGION).run_tokens
    for token in ("first", "second"):
        world.get("RunTask", taskDefinition="app", clientToken=token)
    world.realm.clock.advance(TOKEN_LIFE / 2)
    world.get("RunTask", taskDefinition="app", clientToken="third")
    assert list(tokens) == ["first", "second", "third"]
    world.realm.clock.advance(TOKEN_LIFE / 2 + 1)
    world.get("RunTask", taskDefinition="app", clientToken="first")
    assert list(tokens) == ["third", "first"]
