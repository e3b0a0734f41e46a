"""Samples to figures, figures to rows: pure arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Unit = str
"""`ms` or `MiB`; the unit of all of a row's figures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """The middle of some samples and how they spread: 10th to 90th percentile."""

    median: float
    low: float
    high: float
    rounds: int

    @classmethod
    def of(cls, samples: Sequence[float]) -> Figure:
        """:raises ValueError: there are no samples."""
        return cls(
            median=percentile(samples, 50),
            low=percentile(samples, 10),
            high=percentile(samples, 90),
            rounds=len(samples),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """What ours is compared with."""

    name: str
    figure: Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table.

    ratio: ours to the peer's, or what `aim` is about; None without a peer.
    aim: for a person; empty when the row has none.
    met: None without an aim, or when the figures do not tell.
    """

    group: str
    name: str
    unit: Unit
    ours: Figure
    peer: Peer | None = None
    ratio: float | None = None
    aim: str = ""
    met: bool | None = None
    note: str = ""


def percentile(samples: Sequence[float], percent: float) -> float:
    """The percentile, with straight lines between the samples.

    :raises ValueError: there are no samples.
    """
    if not samples:
        raise ValueError("a percentile of no samples")
    ordered = sorted(samples)
    position = (len(ordered) - 1) * percent / 100
    below = int(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


def compared(
    group: str,
    name: str,
    unit: Unit,
    ours: Figure,
    peer: Peer,
    *,
    at_most: float | None = None,
    note: str = "",
) -> Row:
    """Ours beside a peer's; the aim, if there is one, is a largest ratio of the medians."""
    ratio = ours.median / peer.figure.median
    return Row(
        group=group,
        name=name,
        unit=unit,
        ours=ours,
        peer=peer,
        ratio=ratio,
        aim="" if at_most is None else f"ratio <= {at_most:g}",
        met=None if at_most is None else ratio <= at_most,
        note=note,
    )


def limited(
    group: str,
    name: str,
    unit: Unit,
    ours: Figure,
    *,
    below: float,
    peer: Peer | None = None,
    note: str = "",
) -> Row:
    """Ours against a figure that its median must stay under; a peer is there to be known."""
    return Row(
        group=group,
        name=name,
        unit=unit,
        ours=ours,
        peer=peer,
        ratio=None if peer is None else ours.median / peer.figure.median,
        aim=f"< {below:g} {unit}",
        met=ours.median < below,
        note=note,
    )


def less_floor(
    group: str, name: str, ours: Figure, peer: Peer, floor: Figure, *, at_most: float
) -> Row:
    """Times (ms) compared after the floor, which no server can go below, is taken off both.

    No server is below the floor: where the medians say so, they are too noisy to tell anything.
    """
    own, others = ours.median - floor.median, peer.figure.median - floor.median
    tells = own > 0 and others > 0
    ratio = own / others if tells else None
    return Row(
        group=group,
        name=name,
        unit="ms",
        ours=ours,
        peer=peer,
        ratio=ratio,
        aim=f"ratio <= {at_most:g}",
        met=None if ratio is None else ratio <= at_most,
        note=f"ratio less the canned answer, {floor.median:.2f} ms",
    )
