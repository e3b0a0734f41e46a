"""Capacity provider strategies: what is refused (ecs-facts 11.1)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kecs_server.errors import InvalidParameterException

Structure = dict[str, Any]

PROVIDERS = ("FARGATE", "FARGATE_SPOT")
"""Those that exist without being created."""

MAX_PROVIDERS = 20
"""In a strategy."""

_HIGHEST = {"weight": 1000, "base": 100_000}


def checked_providers(names: Iterable[str]) -> list[str]:
    """:raises InvalidParameterException: a provider that does not exist."""
    names = list(names)
    if not set(names) <= set(PROVIDERS):
        raise InvalidParameterException(
            "The specified capacity provider does not exist. Specify a valid name or ARN and try "
            "again."
        )
    return names


def checked_strategy(strategy: list[Structure], associated: Iterable[str]) -> list[Structure]:
    """The strategy with its defaults (base and weight 0).

    :param associated: the cluster's providers.
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
    if not set(names) <= set(associated):
        raise InvalidParameterException(
            "The specified capacity provider is not associated with the cluster."
        )
    if sum(item["base"] > 0 for item in filled) > 1:
        raise InvalidParameterException(
            "Only one capacity provider in a strategy can have a base defined."
        )
    if filled and not any(item["weight"] > 0 for item in filled):
        raise InvalidParameterException(
            "At least one capacity provider must have a weight value greater than zero."
        )
    return filled
