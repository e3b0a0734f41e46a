"""ECS errors as exceptions: raised anywhere below dispatch, serialized by it.

The class name is the error's `__type` on the wire (ecs-facts 1.3).
"""

from __future__ import annotations

from typing import Any
from typing import ClassVar


class EcsError(Exception):
    """An error answer. `members` are modelled members besides the message."""

    status: ClassVar[int] = 400

    def __init__(self, message: str | None = None, **members: Any) -> None:
        super().__init__(message)
        self.message = message
        self.members = members

    @property
    def code(self) -> str:
        return type(self).__name__


class ClientException(EcsError):
    """A client mistake that has no more exact type."""


class InvalidParameterException(EcsError):
    """A parameter's value is refused."""


class ClusterNotFoundException(EcsError):
    def __init__(self, message: str = "Cluster not found.") -> None:
        super().__init__(message)


class ClusterContainsContainerInstancesException(EcsError):
    def __init__(self) -> None:
        super().__init__(
            "The Cluster cannot be deleted while Container Instances are active or draining."
        )


class ClusterContainsServicesException(EcsError):
    def __init__(self) -> None:
        super().__init__("The Cluster cannot be deleted while Services are active.")


class ClusterContainsTasksException(EcsError):
    def __init__(self) -> None:
        super().__init__("The Cluster cannot be deleted while Tasks are active.")


class ClusterContainsCapacityProviderException(EcsError):
    def __init__(self) -> None:
        super().__init__("The Cluster cannot be deleted while Capacity Providers are active.")


class ResourceInUseException(EcsError):
    """Something still uses what was to be removed."""


class UpdateInProgressException(EcsError):
    """An earlier change is not over yet."""


class ServiceNotFoundException(EcsError):
    """Deletion of an unknown service sends no message at all (ecs-facts 7.5)."""


class ServiceNotActiveException(EcsError):
    def __init__(self) -> None:
        super().__init__("Service was not ACTIVE.")


class ServiceDeploymentNotFoundException(EcsError):
    def __init__(self) -> None:
        super().__init__("Service deployment not found.")


class TaskSetNotFoundException(EcsError):
    def __init__(self) -> None:
        super().__init__("The specified task set does not exist.")


class GatewayNotFoundException(EcsError):
    def __init__(self) -> None:
        super().__init__("Gateway not found.")


class DaemonNotFoundException(EcsError):
    def __init__(self) -> None:
        super().__init__("Daemon not found.")


class DaemonNotActiveException(EcsError):
    def __init__(self) -> None:
        super().__init__("Daemon was not ACTIVE.")


class ResourceNotFoundException(EcsError):
    pass


class ConflictException(EcsError):
    pass


class TargetNotFoundException(EcsError):
    pass


class AttributeLimitExceededException(EcsError):
    pass


class NoUpdateAvailableException(EcsError):
    pass


class MissingVersionException(EcsError):
    pass


class PlatformUnknownException(EcsError):
    def __init__(self) -> None:
        super().__init__("The specified platform does not exist.")


class PlatformTaskDefinitionIncompatibilityException(EcsError):
    def __init__(self) -> None:
        super().__init__(
            "The specified platform does not satisfy the task definition’s required capabilities."  # noqa: RUF001
        )


class UnknownOperationException(EcsError):
    pass


class SerializationException(EcsError):
    pass


class RequestEntityTooLargeException(EcsError):
    """Nobody is known to have written down ECS's answer to a request that is too long."""

    status = 413

    def __init__(self) -> None:
        super().__init__("The request is too large.")


class MissingAuthenticationTokenException(EcsError):
    def __init__(self) -> None:
        super().__init__("Missing Authentication Token")


class IncompleteSignatureException(EcsError):
    pass


class UnrecognizedClientException(EcsError):
    def __init__(self) -> None:
        super().__init__("The security token included in the request is invalid.")


class InvalidSignatureException(EcsError):
    pass


class AccessDeniedException(EcsError):
    pass


class NotImplementedException(EcsError):
    """Ours, not an ECS error: this server does not do that yet."""

    status = 501


class ServerException(EcsError):
    status = 500
