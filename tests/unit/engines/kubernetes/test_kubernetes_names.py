from __future__ import annotations

import re

import pytest
from kecs_server.engines.kubernetes.names import dns_label
from kecs_server.engines.kubernetes.names import dns_labels
from kecs_server.engines.kubernetes.names import is_label_value
from kecs_server.engines.kubernetes.names import label_key

LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


@pytest.mark.parametrize("name", ["app", "my-app", "a", "0", "x" * 63])
def test_labels_stay_as_they_are(name: str) -> None:
    assert dns_label(name) == name


@pytest.mark.parametrize(
    "name", ["App", "my_app", "-app", "app-", "_", "x" * 64, "X" * 255, "A-", "Ä", "a.b"]
)
def test_other_names_become_labels(name: str) -> None:
    assert LABEL.fullmatch(dns_label(name))
    assert LABEL.fullmatch(dns_label(name, limit=30))
    assert len(dns_label(name, limit=30)) <= 30


def test_what_is_readable_stays() -> None:
    assert re.fullmatch(r"my-app-[0-9a-f]{8}", dns_label("my_App"))


def test_no_two_names_share_a_label() -> None:
    names = ["App", "app", "APP", "my_app", "my-app", "my_App", "x" * 254, "x" * 255]
    names.append(dns_label("App"))  # a name that looks like another's label

    labels = dns_labels(names)

    assert set(labels) == set(names)
    assert len(set(labels.values())) == len(names)
    assert labels["app"] == "app"
    assert labels[dns_label("App")] == dns_label("App")
    assert all(LABEL.fullmatch(label) for label in labels.values())


def test_labels_do_not_depend_on_the_order_of_the_names() -> None:
    names = ["App", dns_label("App"), "app"]

    assert dns_labels(names) == dns_labels(reversed(names))


def test_label_values_and_keys() -> None:
    assert is_label_value("")
    assert is_label_value("my_App.1")
    assert not is_label_value("arn:aws:ecs")
    assert not is_label_value("x" * 64)
    assert label_key("aws:ecs:cluster") == "aws-ecs-cluster"
    assert label_key(":") == "label"
