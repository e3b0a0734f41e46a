"""What nobody can ask for any more is not kept."""

from __future__ import annotations

from kecs_server.domain.cluster import CLUSTER_RETENTION
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


def test_deleted_clusters_are_let_go_when_nobody_can_ask_for_them() -> None:
    world = World()
    store = world.realm.store(ACCOUNT, REGION)
    before = set(store.clusters)
    for name in ("first", "second", "again"):
        world.get("CreateCluster", clusterName=name)
        world.get("DeleteCluster", cluster=name)
    world.get("CreateCluster", clusterName="again")
    world.realm.clock.advance(CLUSTER_RETENTION - 1)
    world.get("CreateCluster", clusterName="early")
    assert set(store.clusters) - before == {"first", "second", "again", "early"}
    world.realm.clock.advance(2)
    world.get("DeleteCluster", cluster="early")
    assert set(store.clusters) - before == {"again", "early"}
    world.realm.clock.advance(CLUSTER_RETENTION + 1)
    world.get("CreateCluster", clusterName="late")
    assert set(store.clusters) - before == {"again", "late"}
