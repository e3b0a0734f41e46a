"""What a deployment configuration may say (ecs-facts 7.1, 7.2, 8.2-8.7).

Texts without a fact are ours.
"""

from __future__ import annotations

from typing import Any

from kecs_server.domain import stages
from kecs_server.domain.arns import is_function_arn
from kecs_server.domain.deployment import LAMBDA
from kecs_server.domain.deployment import PAUSE
from kecs_server.errors import InvalidParameterException
from kecs_server.operations.daemon_service_rules import defaults_of

Structure = dict[str, Any]

DEFAULTS: Structure = {
    "deploymentCircuitBreaker": {
        "enable": False,
        "rollback": False,
        "resetOnHealthyTask": True,
        "thresholdConfiguration": {"type": "BOUNDED_PERCENT", "value": 50},
    },
    "maximumPercent": 200,
    "minimumHealthyPercent": 100,
    "strategy": "ROLLING",
    "bakeTimeInMinutes": 0,
}

MAX_BAKE = 1440
MAX_PERCENT = 2_147_483_647

_NO_PAUSE = (stages.TEST_TRAFFIC_SHIFT, stages.PRODUCTION_TRAFFIC_SHIFT)


def checked_configuration(params: Structure, old: Structure | None = None) -> Structure:
    """The deployment configuration with what `params` do not say taken from `old`.

    :raises InvalidParameterException: it is not valid.
    """
    given = params.get("deploymentConfiguration", {})
    defaults = {**DEFAULTS, **defaults_of(params.get("schedulingStrategy"))}
    result = {**(old or defaults), **given}
    breaker = DEFAULTS["deploymentCircuitBreaker"]
    result["deploymentCircuitBreaker"] = {**breaker, **result["deploymentCircuitBreaker"]}
    if result["maximumPercent"] < 100:
        raise InvalidParameterException("maximumPercent must be at least 100")
    if result["minimumHealthyPercent"] > 100:
        raise InvalidParameterException("minimumHealthyPercent must be at most 100")
    if result["minimumHealthyPercent"] < 0:
        raise InvalidParameterException("minimumHealthyPercent must be at least 0")
    _check_breaker(result["deploymentCircuitBreaker"])
    _check_alarms(result.get("alarms"))
    _check_strategy(result)
    _check_bake_time(given, old, result)
    _check_early_success(result)
    for hook in result.get("lifecycleHooks", ()):
        _check_hook(hook, result["strategy"])
    return result


def _check_breaker(breaker: Structure) -> None:
    threshold = breaker["thresholdConfiguration"]
    if threshold["value"] < 1:
        raise InvalidParameterException(
            "The value of the circuit breaker's thresholdConfiguration must be at least 1."
        )


def _check_alarms(alarms: Structure | None) -> None:
    if alarms is not None and alarms["enable"] and not alarms["alarmNames"]:
        raise InvalidParameterException("alarmNames can not be empty when alarms are enabled.")


def _check_strategy(configuration: Structure) -> None:
    strategy = configuration["strategy"]
    for member, owner in (("linearConfiguration", "LINEAR"), ("canaryConfiguration", "CANARY")):
        if member in configuration and strategy != owner:
            raise InvalidParameterException(
                f"{member} is only valid with the deployment strategy {owner}."
            )
    linear = configuration.get("linearConfiguration", {})
    canary = configuration.get("canaryConfiguration", {})
    _check_percent("stepPercent", linear.get("stepPercent", 10.0), 3.0)
    _check_percent("canaryPercent", canary.get("canaryPercent", 5.0), 0.1)
    for member, given, default in (
        ("stepBakeTimeInMinutes", linear, stages.LINEAR_MINUTES),
        ("canaryBakeTimeInMinutes", canary, stages.CANARY_MINUTES),
    ):
        _check_minutes(member, given.get(member, default))


def _check_percent(member: str, value: float, least: float) -> None:
    is_tenth = abs(value * 10 - round(value * 10)) < 1e-6
    if not least <= value <= stages.WHOLE or not is_tenth:
        raise InvalidParameterException(
            f"{member} must be a multiple of 0.1 from {least} to {stages.WHOLE}."
        )


def _check_minutes(member: str, value: int) -> None:
    if not 0 <= value <= MAX_BAKE:
        raise InvalidParameterException(f"{member} must be between 0 and {MAX_BAKE}.")


def _check_bake_time(given: Structure, old: Structure | None, configuration: Structure) -> None:
    _check_minutes("bakeTimeInMinutes", configuration["bakeTimeInMinutes"])
    is_new = old is None or old["strategy"] != "BLUE_GREEN"
    if configuration["strategy"] == "BLUE_GREEN" and is_new and "bakeTimeInMinutes" not in given:
        raise InvalidParameterException(
            "bakeTimeInMinutes must be specified with the deployment strategy BLUE_GREEN."
        )


def _check_early_success(configuration: Structure) -> None:
    criteria = configuration.get("earlySuccessCriteria")
    if criteria is None or not criteria["enable"]:
        return
    if configuration["strategy"] != "ROLLING":
        raise InvalidParameterException(
            "earlySuccessCriteria is only valid with the deployment strategy ROLLING."
        )
    if not {"healthyPercent", "sourceServiceRevisionCleanup"} <= criteria.keys():
        raise InvalidParameterException(
            "earlySuccessCriteria needs healthyPercent and sourceServiceRevisionCleanup."
        )
    if not configuration["minimumHealthyPercent"] <= criteria["healthyPercent"] <= 100:
        raise InvalidParameterException(
            "healthyPercent must be between minimumHealthyPercent and 100."
        )


def _check_hook(hook: Structure, strategy: str) -> None:
    at = hook.get("lifecycleStages", [])
    if not at:
        raise InvalidParameterException("A lifecycle hook must have lifecycleStages.")
    minutes = hook.get("timeoutConfiguration", {}).get("timeoutInMinutes", stages.HOOK_MINUTES)
    if not 1 <= minutes <= 20160:
        raise InvalidParameterException("timeoutInMinutes must be between 1 and 20160.")
    kind = hook.get("targetType", LAMBDA)
    if kind == LAMBDA and not is_function_arn(hook.get("hookTargetArn", "")):
        raise InvalidParameterException(
            "A lifecycle hook of the type AWS_LAMBDA must have the ARN of a Lambda function as "
            "hookTargetArn."
        )
    if kind == PAUSE and "hookTargetArn" in hook:
        raise InvalidParameterException("A lifecycle hook of the type PAUSE has no hookTargetArn.")
    for stage in at:
        if kind == PAUSE and stage in _NO_PAUSE:
            raise InvalidParameterException(
                f"A lifecycle hook of the type PAUSE can not be configured at the stage {stage}."
            )
        if strategy == "ROLLING" and stage not in stages.ROLLING_STAGES:
            raise InvalidParameterException(
                f"A deployment with the strategy ROLLING has no lifecycle stage {stage}."
            )
