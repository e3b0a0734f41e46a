"""The page that says what the tests rest on."""

from __future__ import annotations

from source_table import counted
from source_table import markdown


def test_a_row_for_each_subject_and_one_for_all() -> None:
    tests = [
        ("test_api_task_sets", "captured"),
        ("test_api_task_sets", "inferred"),
        ("test_protocol", "ours"),
        ("test_api_task_sets", "captured"),
    ]
    lines = markdown(counted(tests), probes=31_999).splitlines()
    assert lines[-5:] == [
        "| tests of | captured | documented | inferred | ours |",
        "| --- | --- | --- | --- | --- |",
        "| protocol |  |  |  | 1 |",
        "| task sets | 2 |  | 1 |  |",
        "| all | 2 |  | 1 | 1 |",
    ]
    assert "31,000 requests" in " ".join(lines)
