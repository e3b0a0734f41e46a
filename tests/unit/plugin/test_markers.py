"""Arguments of `@pytest.mark.kecs`."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_kecs.markers import Wishes
from pytest_kecs.markers import read_markers
from pytest_kecs.settings import InvalidValue


def read(*arguments: dict[str, Any]) -> Wishes:
    """The wishes of markers with these arguments, closest first."""
    return read_markers([pytest.mark.kecs(**one).mark for one in arguments])


def test_a_bare_marker_asks_for_nothing() -> None:
    assert read({}) == Wishes()


def test_the_closest_marker_wins_and_the_others_fill_in() -> None:
    wishes = read({"region": "eu-west-1"}, {"region": "eu-west-2", "account": "210987654321"})
    assert wishes == Wishes(region="eu-west-1", account="210987654321")


def test_images_of_all_markers_are_merged() -> None:
    wishes = read({"images": {"a": "near"}}, {"images": {"a": "far", "b": "far"}})
    assert wishes.images == {"a": "near", "b": "far"}


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        ({"acount": "123456789012"}, ["no argument 'acount'", "did you mean 'account'?"]),
        (
            {"colour": "red"},
            ["no argument 'colour'", "engine, region, account, aws_endpoint, netns, clock, images"],
        ),
        ({"engine": "kin"}, ["engine='kin'", "did you mean 'kind'?"]),
        ({"engine": 3}, ["engine=3", "string"]),
        ({"region": "here"}, ["region='here'", "us-east-1"]),
        ({"account": "12"}, ["account='12'", "12 digits"]),
        ({"account": 123456789012}, ["account", "string"]),
        ({"aws_endpoint": "moto"}, ["aws_endpoint='moto'", "http://HOST:PORT"]),
        ({"netns": "yes"}, ["netns='yes'", "True or False"]),
        ({"clock": "manuel"}, ["clock='manuel'", "did you mean 'manual'?"]),
        ({"images": ["a"]}, ["images", "dictionary"]),
    ],
)
def test_wrong_arguments_are_told_with_what_is_right(
    arguments: dict[str, Any], parts: list[str]
) -> None:
    with pytest.raises(InvalidValue) as caught:
        read(arguments)
    assert [part for part in parts if part not in str(caught.value)] == []


def test_arguments_go_by_name() -> None:
    with pytest.raises(InvalidValue, match="by name, not 'kind'"):
        read_markers([pytest.mark.kecs("kind").mark])
