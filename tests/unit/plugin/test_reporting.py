"""What of a failure's traceback is shown."""

from __future__ import annotations

import botocore.client
import botocore.validate
import pytest
from botocore.exceptions import ClientError
from botocore.exceptions import WaiterError

from pytest_kecs.reporting import shown_at_the_call

MODULES = (botocore.client, botocore.validate)


@pytest.mark.parametrize(
    ("error", "hidden"),
    [
        (ClientError({}, "RunTask"), True),
        (type("ClusterNotFoundException", (ClientError,), {})({}, "RunTask"), True),
        (WaiterError("TasksRunning", "it failed", {}), True),
        (ValueError("the test's own"), False),
        (None, False),
    ],
)
def test_the_inside_of_botocore_is_not_shown(error: BaseException | None, hidden: bool) -> None:  # noqa: FBT001
    with shown_at_the_call(error):
        assert [vars(module).get("__tracebackhide__", False) for module in MODULES] == [hidden] * 2
    assert not any("__tracebackhide__" in vars(module) for module in MODULES)
