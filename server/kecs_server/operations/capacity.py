"""Which capacity providers a cluster, task or service may have (ecs-facts 11.1, 3.4)."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

from kecs_server.domain.capacity_provider import CapacityProvider
from kecs_server.errors import InvalidParameterException
from kecs_server.operations.registry import Call

Structure = dict[str, Any]

MAX_PROVIDERS = 20
"""In a strategy, and associated with a cluster."""

_HIGHEST = {"weight": 1000, "base": 100_000}
_UNKNOWN = (
    "The specified capacity provider does not exist. Specify a valid name or ARN and try again."
)


def associable(call: Call, names: Iterable[str], cluster: str) -> dict[str, CapacityProvider]:
    """The providers of these names that the cluster can have, by name.

    :raises InvalidParameterException: one does not exist, or is another cluster's.
    """
    providers = {}
    for name in names:
        provider = call.store.capacity_providers.get(name.rpartition("/")[2])
        if (
            provider is None
            or provider.is_leaving
            or provider.cluster not in (None, cluster)
            or name not in (provider.name, provider.arn)
        ):
            raise InvalidParameterException(_UNKNOWN)
        providers[provider.name] = provider
    if len(providers) > MAX_PROVIDERS:
        raise InvalidParameterException(
            f"A cluster can have at most {MAX_PROVIDERS} capacity providers."
        )
    return providers


def checked_strategy(
    strategy: list[Structure], associated: Mapping[str, CapacityProvider]
) -> list[Structure]:
    """The strategy with its defaults (base and weight 0).

    :param associated: the cluster's providers, by name.
    :raises InvalidParameterException: a rule of ecs-facts 11.1 is broken.
    """
    filled = [{"weight": 0, "base": 0, **item} for item in strategy]
    if len(filled) > MAX_PROVIDERS:
        raise InvalidParameterException(
            f"A capacity provider strategy can have at most {MAX_PROVIDERS} capacity providers."
        )
    for item in filled:
        for member, highest in _HIGHEST.items():
            if not 0 <= item[member] <= highest:
                raise InvalidParameterException(
                    f"The {member} of a capacity provider must be between 0 and {highest}."
                )
    names = [item["capacityProvider"] for item in filled]
    if len(set(names)) < len(names):
        raise InvalidParameterException(
            "A capacity provider may only be specified once in a strategy."
        )
    _check_associated(names, associated)
    if sum(item["base"] > 0 for item in filled) > 1:
        raise InvalidParameterException(
            "Only one capacity provider in a strategy can have a base defined."
        )
    if filled and not any(item["weight"] > 0 for item in filled):
        raise InvalidParameterException(
            "At least one capacity provider must have a weight value greater than zero."
        )
    return filled


def check_usable(
    strategy: list[Structure], associated: Mapping[str, CapacityProvider], now: float
) -> None:
    """:raises InvalidParameterException: a provider of the strategy is not ACTIVE yet, or no more.

    The model: only ACTIVE ones can be used.
    """
    for item in strategy:
        provider = associated.get(item["capacityProvider"])
        if provider is not None and not provider.is_usable(now):
            raise InvalidParameterException(
                f"The capacity provider {provider.name} is not ACTIVE; it is "
                f"{provider.status(now)}."
            )


def _check_associated(names: list[str], associated: Mapping[str, CapacityProvider]) -> None:
    if not set(names) <= associated.keys():
        raise InvalidParameterException(
            "The specified capacity provider strategy cannot contain a capacity provider that is "
            "not associated with the cluster. Associate the capacity provider with the cluster "
            "and try again."
        )
    if len({associated[name].launch_type for name in names}) > 1:
        raise InvalidParameterException(
            "A capacity provider strategy cannot contain a mix of capacity providers using Auto "
            "Scaling groups and Fargate providers. Specify one or the other and try again."
        )
