"""botocore's ECS model: the authority for operations, shapes, enums and error types."""

from __future__ import annotations

from functools import cache

from botocore.loaders import Loader
from botocore.model import OperationModel
from botocore.model import ServiceModel
from botocore.waiter import SingleWaiterConfig
from botocore.waiter import WaiterModel

TARGET_PREFIX = "AmazonEC2ContainerServiceV20141113"


@cache
def service_model() -> ServiceModel:
    """The model of the installed botocore; AWS_DATA_PATH adds nothing to it."""
    return ServiceModel(Loader().load_service_model("ecs", "service-2"), "ecs")


@cache
def operation_names() -> frozenset[str]:
    return frozenset(service_model().operation_names)


@cache
def operation_model(name: str) -> OperationModel:
    """:raises botocore.model.OperationNotFoundError: no such operation."""
    return service_model().operation_model(name)


@cache
def waiters_of(operation: str) -> tuple[SingleWaiterConfig, ...]:
    """botocore's waiters that poll the operation, with the delays that they have on AWS."""
    model = WaiterModel(Loader().load_service_model("ecs", "waiters-2"))
    waiters = (model.get_waiter(name) for name in model.waiter_names)
    return tuple(waiter for waiter in waiters if waiter.operation == operation)
