"""The Services by which a Pod finds others: gone with it."""

from __future__ import annotations

from kecs_server.engines.base import Named
from kind_driver import Driver
from kind_driver import Lab
from test_kind_tasks import shell


def test_services_are_gone_with_their_task(driver: Driver, image: str, lab: Lab) -> None:
    name = Named(host="web.internal", port=80, target_port=8080, mark="none")
    task = driver.start(shell("app", "exec sleep 1000", image, stop_timeout=1), names=(name,))
    driver.started(task, "app")
    selector = ("-n", driver.engine._environment, "-l", f"kecs/task-id={task}")
    address = lab.kubectl("get", "services", *selector, "-o", "jsonpath={.items[0].spec.clusterIP}")
    assert address.encode() in driver.execute(task, "app", "grep web.internal /etc/hosts")[1]
    driver.remove(task)
    assert lab.kubectl("get", "services", *selector, "-o", "name") == ""
