"""What stops a benchmark."""

from __future__ import annotations


class BenchmarkError(Exception):
    """Something that a measurement needs is not there; the text says what, for a person."""
