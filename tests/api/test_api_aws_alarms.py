"""Alarms of deployments that CloudWatch of the configured endpoint (moto's server) has."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from api_steps import SLEEP
from api_steps import container
from api_steps import register
from api_steps import seen
from moto_server import Moto
from service_steps import create

from pytest_kecs.admin import AdminClient

pytestmark = pytest.mark.documented


def test_an_alarm_of_cloudwatch_rolls_back(rest: Any, admin: AdminClient, moto: Moto) -> None:
    cloudwatch = moto.client("cloudwatch")
    early, late = (f"{name}-{uuid.uuid4().hex}" for name in ("early", "late"))
    for name in (early, late):
        cloudwatch.put_metric_alarm(
            AlarmName=name,
            MetricName="errors",
            Namespace="tests",
            Period=60,
            EvaluationPeriods=1,
            Threshold=1.0,
            Statistic="Sum",
            ComparisonOperator="GreaterThanThreshold",
        )

    def ring(name: str) -> None:
        cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="a test")

    ring(early)
    register(rest, "app", container(command=SLEEP))
    alarms = {"enable": True, "rollback": True, "alarmNames": [early, late]}
    configuration = {"alarms": alarms, "bakeTimeInMinutes": 1}
    arn = create(rest, deploymentConfiguration=configuration)["currentServiceDeployment"]

    def deployment() -> Any:
        answer = rest.describe_service_deployments(serviceDeploymentArns=[arn])
        return answer["serviceDeployments"][0]

    # One that was there at the beginning does not count.
    seen(admin, lambda: deployment().get("lifecycleStage") == "BAKE_TIME")
    assert deployment()["status"] == "IN_PROGRESS"
    ring(late)
    seen(admin, lambda: deployment()["status"] == "STOPPED")
    assert deployment()["alarms"]["triggeredAlarmNames"] == [late]
