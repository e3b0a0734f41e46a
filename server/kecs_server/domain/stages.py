"""The stages of a service deployment: which there are, and when it leaves one (ecs-facts 8.6, 8.7).

Pure: what is true of the tasks in, the deployment moved on. Who calls hooks and moves traffic reads
it from the record.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kecs_server.domain.deployment import AWAITING_ACTION
from kecs_server.domain.deployment import IN_PROGRESS
from kecs_server.domain.deployment import LAMBDA
from kecs_server.domain.deployment import PAUSE
from kecs_server.domain.deployment import ROLLING
from kecs_server.domain.deployment import TIMED_OUT
from kecs_server.domain.deployment import Entered
from kecs_server.domain.deployment import HookRun
from kecs_server.domain.deployment import ServiceDeployment
from kecs_server.domain.deployment import Step

Structure = dict[str, Any]

RECONCILE_SERVICE = "RECONCILE_SERVICE"
PRE_SCALE_UP = "PRE_SCALE_UP"
SCALE_UP = "SCALE_UP"
POST_SCALE_UP = "POST_SCALE_UP"
TEST_TRAFFIC_SHIFT = "TEST_TRAFFIC_SHIFT"
POST_TEST_TRAFFIC_SHIFT = "POST_TEST_TRAFFIC_SHIFT"
PRE_PRODUCTION_TRAFFIC_SHIFT = "PRE_PRODUCTION_TRAFFIC_SHIFT"
PRODUCTION_TRAFFIC_SHIFT = "PRODUCTION_TRAFFIC_SHIFT"
POST_PRODUCTION_TRAFFIC_SHIFT = "POST_PRODUCTION_TRAFFIC_SHIFT"
BAKE_TIME = "BAKE_TIME"
CLEAN_UP = "CLEAN_UP"

ROLLING_STAGES = (RECONCILE_SERVICE, PRE_SCALE_UP, POST_SCALE_UP)
"""Stages of a rolling update that can have hooks: there is no traffic to shift."""

ROLLBACK_STAGES = (TEST_TRAFFIC_SHIFT, PRODUCTION_TRAFFIC_SHIFT)
"""Stages whose hooks run in a rollback too (ecs-facts 8.7)."""

HOOK_MINUTES = 1440
"""How long a hook may take, unless it says otherwise."""

CANARY_MINUTES = 10
LINEAR_MINUTES = 6
"""Between steps, unless a configuration says otherwise."""

WHOLE = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What is true when a deployment is looked at.

    `healthy`: healthy tasks of what is being deployed. `is_settled`: there are exactly those that
    are wanted, all of them healthy. `is_alone`: nothing else has tasks. `is_reconciled`: nothing
    but source and target has.
    """

    now: float
    desired: int
    healthy: int
    is_settled: bool
    is_alone: bool
    is_reconciled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`is_done`: the last stage is over. `failed_hook`: one that ends the deployment. Else it stays
    where it is, at most until `look_again_at`.
    """

    is_done: bool = False
    failed_hook: HookRun | None = None
    look_again_at: float | None = None


def path_of(configuration: Structure, *, sources: int) -> tuple[Step, ...]:
    """The stages of a deployment that begins with so many revisions that have tasks."""
    is_rolling = configuration.get("strategy", ROLLING) == ROLLING
    # The first deployment of a service has nothing to come back to.
    bake = configuration.get("bakeTimeInMinutes", 0) * 60.0 if is_rolling or sources else 0.0
    steps = [Step(RECONCILE_SERVICE)] if sources > 1 else []
    steps += [Step(PRE_SCALE_UP), Step(SCALE_UP), Step(POST_SCALE_UP)]
    if not is_rolling:
        steps += [Step(TEST_TRAFFIC_SHIFT, WHOLE), Step(POST_TEST_TRAFFIC_SHIFT)]
        for weight, pause in _shifts(configuration) if sources else [(WHOLE, 0.0)]:
            steps.append(Step(PRE_PRODUCTION_TRAFFIC_SHIFT))
            steps.append(Step(PRODUCTION_TRAFFIC_SHIFT, weight, pause))
        steps.append(Step(POST_PRODUCTION_TRAFFIC_SHIFT))
    return (*steps, Step(BAKE_TIME, bake=bake), Step(CLEAN_UP))


def rollback_path(deployment: ServiceDeployment) -> tuple[Step, ...]:
    """The way back: the tasks of before, then the traffic that was shifted."""
    steps = [Step(SCALE_UP)]
    if deployment.production_weight:
        steps.append(Step(PRODUCTION_TRAFFIC_SHIFT, 0.0))
    if deployment.test_weight:
        steps.append(Step(TEST_TRAFFIC_SHIFT, 0.0))
    return (*steps, Step(CLEAN_UP))


def _shifts(configuration: Structure) -> Iterator[tuple[float, float]]:
    """Each weight that the target gets, and the seconds before the next."""
    strategy = configuration["strategy"]
    if strategy == "CANARY":
        canary = configuration.get("canaryConfiguration", {})
        share = float(canary.get("canaryPercent", 5.0))
        if share < WHOLE:
            yield share, canary.get("canaryBakeTimeInMinutes", CANARY_MINUTES) * 60.0
    elif strategy == "LINEAR":
        linear = configuration.get("linearConfiguration", {})
        # In tenths, which are whole numbers: 3.3 percent thirty times is no 99.
        tenths = round(linear.get("stepPercent", 10.0) * 10)
        for weight in range(tenths, 1000, tenths):
            yield weight / 10, linear.get("stepBakeTimeInMinutes", LINEAR_MINUTES) * 60.0
    yield WHOLE, 0.0


def advance(deployment: ServiceDeployment, situation: Situation) -> Verdict:
    """Move the deployment on as far as it gets now."""
    while True:
        if deployment.entered_at is None:
            _enter(deployment, situation.now)
        moments = list(_hook_moments(deployment, situation.now))
        failed = next((run for run in deployment.step_hooks if run.has_failed), None)
        if failed is not None:
            return Verdict(failed_hook=failed)
        if any(run.is_open for run in deployment.step_hooks):
            return Verdict(look_again_at=min(moments, default=None))
        baked_at = (deployment.entered_at or situation.now) + deployment.step.bake
        if deployment.step.bake and situation.now < baked_at:
            return Verdict(look_again_at=baked_at)
        if not _is_over(deployment, situation):
            return Verdict()
        if deployment.position == len(deployment.path) - 1:
            return Verdict(is_done=True)
        deployment.position += 1
        deployment.entered_at = None


def _enter(deployment: ServiceDeployment, now: float) -> None:
    step = deployment.step
    deployment.entered_at = deployment.updated_at = now
    if step.stage == PRODUCTION_TRAFFIC_SHIFT and step.weight is not None:
        deployment.production_weight = step.weight
    if step.stage == TEST_TRAFFIC_SHIFT and step.weight is not None:
        deployment.test_weight = step.weight
    deployment.entered.append(
        Entered(now, step.stage, deployment.production_weight, deployment.test_weight)
    )
    deployment.step_hooks = []
    if deployment.rollback is None or step.stage in ROLLBACK_STAGES:
        deployment.step_hooks = [
            _begun(hook, step.stage, now)
            for hook in deployment.configuration.get("lifecycleHooks", ())
            if step.stage in hook["lifecycleStages"]
        ]
    deployment.hooks += deployment.step_hooks


def _begun(hook: Structure, stage: str, now: float) -> HookRun:
    minutes = hook.get("timeoutConfiguration", {}).get("timeoutInMinutes", HOOK_MINUTES)
    run = HookRun(hook=hook, stage=stage, expires_at=now + minutes * 60.0)
    if hook.get("targetType", LAMBDA) == PAUSE:
        run.status = AWAITING_ACTION
    else:
        run.due_at = now
    return run


def _hook_moments(deployment: ServiceDeployment, now: float) -> Iterator[float]:
    """End the hooks whose time is over, and say when something is due for the others."""
    for run in deployment.step_hooks:
        if not run.is_open:
            continue
        if run.expires_at <= now:
            run.status = TIMED_OUT
            continue
        yield run.expires_at
        if run.due_at is not None and run.due_at > now:
            yield run.due_at


def due_hooks(deployment: ServiceDeployment, now: float) -> list[HookRun]:
    """The Lambda hooks that are to be called now."""
    return [
        run
        for run in deployment.step_hooks
        if run.status == IN_PROGRESS and run.due_at is not None and run.due_at <= now
    ]


def _is_over(deployment: ServiceDeployment, situation: Situation) -> bool:
    """Whether the stage, whose hooks and bake time are over, can be left."""
    stage = deployment.step.stage
    if stage == RECONCILE_SERVICE:
        return situation.is_reconciled or not deployment.is_side_by_side
    if stage == SCALE_UP:
        return situation.healthy >= _enough(deployment, situation.desired)
    if stage == CLEAN_UP:
        criteria = _early_success(deployment)
        if criteria is None:
            return situation.is_settled
        return situation.is_alone or criteria.get("sourceServiceRevisionCleanup") == "DEFERRED"
    return True


def _enough(deployment: ServiceDeployment, desired: int) -> int:
    """Healthy tasks that the target must have."""
    criteria = _early_success(deployment)
    if criteria is None:
        return desired
    return int(-(-desired * criteria.get("healthyPercent", 100) // 100))


def _early_success(deployment: ServiceDeployment) -> Structure | None:
    """What ends a rolling update early, if anything does."""
    criteria: Structure = deployment.configuration.get("earlySuccessCriteria", {})
    is_early = criteria.get("enable", False) and deployment.strategy == ROLLING
    return criteria if is_early and deployment.rollback is None else None
