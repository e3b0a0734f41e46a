"""Running checks one after another. None stops another, and each is cleaned up after."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pytest_kecs.conformance import account_settings  # noqa: F401
from pytest_kecs.conformance import agent_calls  # noqa: F401
from pytest_kecs.conformance import attributes  # noqa: F401
from pytest_kecs.conformance import capacity_providers  # noqa: F401
from pytest_kecs.conformance import clusters  # noqa: F401
from pytest_kecs.conformance import container_instances  # noqa: F401
from pytest_kecs.conformance import daemon_task_definitions  # noqa: F401
from pytest_kecs.conformance import daemons  # noqa: F401
from pytest_kecs.conformance import express  # noqa: F401
from pytest_kecs.conformance import gateways  # noqa: F401
from pytest_kecs.conformance import protocol  # noqa: F401
from pytest_kecs.conformance import service_deployments  # noqa: F401
from pytest_kecs.conformance import services  # noqa: F401
from pytest_kecs.conformance import tags  # noqa: F401
from pytest_kecs.conformance import task_definitions  # noqa: F401
from pytest_kecs.conformance import task_protection  # noqa: F401
from pytest_kecs.conformance import task_sets  # noqa: F401
from pytest_kecs.conformance import tasks  # noqa: F401
from pytest_kecs.conformance.checks import CHECKS
from pytest_kecs.conformance.checks import WAIT_SECONDS
from pytest_kecs.conformance.checks import Account
from pytest_kecs.conformance.checks import Check
from pytest_kecs.conformance.checks import Failed
from pytest_kecs.conformance.checks import NotImplementedThere
from pytest_kecs.conformance.checks import Shapes
from pytest_kecs.conformance.endpoint import Endpoint

Outcome = Literal["passed", "failed", "not implemented", "skipped"]
FAMILIES = tuple(dict.fromkeys(check.family for check in CHECKS))


@dataclass(frozen=True, slots=True)
class Result:
    check: Check
    outcome: Outcome
    came: str = ""
    leftovers: tuple[str, ...] = ()


def run(
    endpoint: Endpoint,
    *,
    families: Sequence[str] = (),
    subnet: str = "subnet-12345678",
    security_group: str | None = None,
    with_tasks: bool = True,
    wait_seconds: float = WAIT_SECONDS,
) -> Iterator[Result]:
    """Run the checks of these families (default: of all), and judge the shapes of their answers."""
    groups = {"securityGroups": [security_group]} if security_group else {}
    network = {"subnets": [subnet], "assignPublicIp": "ENABLED", **groups}
    shapes: Shapes = {}
    prefix = f"kecs-conformance-{secrets.token_hex(4)}"
    for number, check in enumerate(CHECKS):
        if families and check.family not in families:
            continue
        if check.needs_tasks and not with_tasks:
            yield Result(check, "skipped", "needs tasks that run")
            continue
        account = Account(endpoint, f"{prefix}-{number}", network, shapes, wait_seconds)
        yield _run_one(check, account)
    for operation, problems in shapes.items():
        yield _of_shapes(operation, list(problems))


def _of_shapes(operation: str, problems: Sequence[str]) -> Result:
    check = Check(
        family="shapes",
        operation=operation,
        name="answers_as_the_model_says",
        rule="Answers have the members and types of botocore's model",
        basis="documented",
        source="botocore's model",
    )
    return Result(check, "failed" if problems else "passed", "; ".join(problems[:9]))


def _run_one(check: Check, account: Account) -> Result:
    outcome: Outcome = "passed"
    came = ""
    try:
        assert check.run is not None
        check.run(account)
    except Failed as failure:
        outcome, came = "failed", str(failure)
    except NotImplementedThere as missing:
        outcome, came = "not implemented", str(missing)
    except Exception as error:
        # What the check reads of the answer is not there, or is something else.
        outcome, came = "failed", f"the answer is not as the check reads it: {error!r}"
    finally:
        try:
            leftovers = account.clean_up()
        except KeyboardInterrupt:
            # The rest goes too, unless it is interrupted again.
            account.clean_up()
            raise
    return Result(check, outcome, came, tuple(leftovers))
