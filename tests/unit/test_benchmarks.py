"""The arithmetic and the tables of the benchmarks; what they measure is measured by them alone."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from benchmarks import table
from benchmarks.figures import Figure
from benchmarks.figures import Peer
from benchmarks.figures import Row
from benchmarks.figures import compared
from benchmarks.figures import less_floor
from benchmarks.figures import limited
from benchmarks.figures import percentile
from benchmarks.rounds import interleaved


def exactly(value: float) -> Figure:
    return Figure(median=value, low=value, high=value, rounds=1)


def peer(value: float) -> Peer:
    return Peer(name="peer", figure=exactly(value))


def floor_row(ours: float, others: float, floor: float) -> Row:
    return less_floor("calls", "Call", exactly(ours), peer(others), exactly(floor), at_most=0.5)


@pytest.mark.parametrize(
    ("percent", "expected"), [(0, 1.0), (10, 1.4), (50, 3.0), (90, 4.6), (100, 5.0)]
)
def test_percentiles_lie_on_lines_between_samples(percent: float, expected: float) -> None:
    assert percentile([5, 1, 4, 2, 3], percent) == pytest.approx(expected)


def test_one_sample_is_all_of_its_percentiles() -> None:
    assert Figure.of([7.0]) == exactly(7.0)


def test_no_samples_are_no_figure() -> None:
    with pytest.raises(ValueError, match="no samples"):
        Figure.of([])


def test_an_aim_on_the_ratio_is_kept_at_its_very_limit() -> None:
    rows = [
        compared("g", "n", "ms", exactly(ours), peer(10.0), at_most=1.2) for ours in (12.0, 12.1)
    ]
    assert [(row.ratio, row.met) for row in rows] == [(1.2, True), (1.21, False)]


def test_a_row_without_an_aim_is_neither_kept_nor_missed() -> None:
    row = compared("g", "n", "ms", exactly(2.0), peer(1.0))
    assert (row.ratio, row.aim, row.met) == (2.0, "", None)


def test_a_limit_must_be_stayed_under() -> None:
    rows = [limited("g", "n", "MiB", exactly(value), below=60) for value in (59.9, 60.0)]
    assert [row.met for row in rows] == [True, False]


def test_the_floor_is_taken_off_both() -> None:
    row = floor_row(ours=2.0, others=4.0, floor=1.0)
    assert row.ratio == pytest.approx(1 / 3)
    assert row.met is True
    assert floor_row(ours=3.0, others=4.0, floor=1.0).met is False


@pytest.mark.parametrize(("ours", "others"), [(0.9, 4.0), (2.0, 1.0)])
def test_figures_below_the_floor_tell_nothing(ours: float, others: float) -> None:
    row = floor_row(ours=ours, others=others, floor=1.0)
    assert (row.ratio, row.met) == (None, None)
    assert table.verdict([row]) == "0 of 1 aims met; too noisy to tell: Call"


def test_subjects_take_turns_at_being_first() -> None:
    order: list[str] = []

    def subject(name: str) -> Mapping[str, float]:
        order.append(name)
        return {"time": float(len(order))}

    figures = interleaved({n: lambda n=n: subject(n) for n in "ab"}, 2, discarded=1)
    assert "".join(order) == "abbaab"
    assert figures["a"]["time"].median == (4 + 5) / 2
    assert figures["b"]["time"].rounds == 2


def test_the_tables_show_misses_as_misses() -> None:
    missed = limited("tasks", "slow", "ms", Figure.of([20.0, 30.0]), below=20, note="why")
    kept = compared("start", "quick", "ms", exactly(1.0), peer(2.0), at_most=1)
    text = table.text_table([kept, missed])
    assert "[start]\nquick" in text
    assert "25.0 ms (21.0-29.0)" in text
    assert table.verdict([kept, missed]) == "1 of 2 aims met; missed: slow"
    assert table.markdown_table([missed]).splitlines()[-1] == (
        "| slow | 25.0 ms (21.0-29.0) |  |  |  | < 20 ms | NO |"
    )


def test_the_json_has_every_figure() -> None:
    row = compared("start", "quick", "ms", exactly(1.0), peer(2.0), at_most=1)
    written = json.loads(table.as_json([row], {"machine": {"cores": 2}}))
    assert written["machine"] == {"cores": 2}
    assert written["rows"][0]["peer"] == {
        "name": "peer",
        "figure": {"median": 2.0, "low": 2.0, "high": 2.0, "rounds": 1},
    }
    assert written["rows"][0]["met"] is True
