"""What CreateService and UpdateService refuse of DAEMON services.

The texts are those of public reports of AWS's answers and of ecs-facts 7.1; those of load
balancers, volumes and deployment strategies, which the documentation rules out, are ours.
"""

from __future__ import annotations

from typing import Any

from kecs_server.domain.deployment import ROLLING
from kecs_server.domain.service import DAEMON
from kecs_server.errors import InvalidParameterException

Structure = dict[str, Any]

DEFAULTS: Structure = {"minimumHealthyPercent": 0, "maximumPercent": 100}
"""What a DAEMON service's deployment configuration has where nothing is said (ecs-facts 7.2)."""


def check_count(params: Structure) -> None:
    """:raises InvalidParameterException: a count is wanted, which is computed here."""
    if "desiredCount" in params:
        raise _refusal(
            "a desired count for services", "Remove the desired count value and try again"
        )


def check_new(params: Structure, *, on_fargate: bool, strategy: list[Structure]) -> None:
    """What a new service is to have, of which the rest has been checked.

    :param strategy: of capacity providers, be it that of the request or the cluster's default.
    :raises InvalidParameterException: DAEMON services cannot have it.
    """
    _check_strategy(strategy)
    if on_fargate:
        raise _refusal("the FARGATE launch type", "Change the launch type and try again")
    if params.get("placementStrategy"):
        _refuse_placement()


def check_update(params: Structure) -> None:
    """:raises InvalidParameterException: a DAEMON service cannot be changed so. To give no
    placement strategies is refused, too, as public reports have it.
    """
    check_count(params)
    if params.get("capacityProviderStrategy"):
        _check_strategy(params["capacityProviderStrategy"])
    if "placementStrategy" in params:
        _refuse_placement()


def check_whole(configuration: Structure, settings: Structure) -> None:
    """What a service has when a call is done: its deployment configuration, and what its revision
    gives back.

    :raises InvalidParameterException: DAEMON services cannot have it.
    """
    if configuration["maximumPercent"] > DEFAULTS["maximumPercent"]:
        raise _refusal(
            "values above 100 for maximumPercent on a deployment configuration",
            "Change the maximumPercent value to 100, and try again",
        )
    if configuration["strategy"] != ROLLING:
        raise _refusal(
            f"the deployment strategy {configuration['strategy']}", "Use ROLLING and try again"
        )
    if any("loadBalancerName" in each for each in settings.get("loadBalancers", ())):
        raise _refusal("Classic Load Balancers", "Use a target group and try again")
    if settings.get("volumeConfigurations"):
        raise _refusal("volume configurations", "Remove the volume configurations and try again")


def defaults_of(scheduling_strategy: str | None) -> Structure:
    """Of a deployment configuration, where they are others than those of all services."""
    return DEFAULTS if scheduling_strategy == DAEMON else {}


def _check_strategy(strategy: list[Structure]) -> None:
    if strategy:
        raise InvalidParameterException(
            "Specifying a capacity provider strategy is not supported when you create a service "
            "using the DAEMON scheduling strategy."
        )


def _refuse_placement() -> None:
    raise _refusal("placement strategies", "Remove the placement strategy and try again")


def _refusal(what: str, advice: str) -> InvalidParameterException:
    return InvalidParameterException(
        f"The daemon scheduling strategy does not support {what}. {advice}"
    )
