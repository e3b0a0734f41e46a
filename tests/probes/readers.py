"""Who reads members of requests that no operation asks for: it keeps them, and this module, which
works from the records, looks at them (or the checks of a registration, by the names of shapes).

Where a member is of several modules, one of them is named. A reader that is not so, or a member
that has become unread, fails `tests/unit/operations/test_probes.py`.
"""

from __future__ import annotations

READERS: dict[str, dict[str, tuple[str, ...]]] = {
    "aws/alarms.py": {
        "DaemonAlarmConfiguration": ("alarmNames", "enable"),
        "DeploymentConfiguration": ("alarms",),
    },
    "domain/demand.py": {
        "ContainerOverride": ("memory",),
        "RegisterDaemonTaskDefinition": ("memory",),
    },
    "domain/deploying.py": {"DeploymentConfiguration": ("strategy",)},
    "domain/deployment.py": {
        "DeploymentCircuitBreaker": ("thresholdConfiguration",),
        "DeploymentLifecycleHookTimeoutConfiguration": ("action",),
        "ThresholdConfiguration": ("type",),
    },
    "domain/discovery.py": {
        "ServiceConnectClientAlias": ("dnsName", "port"),
        "ServiceConnectService": ("clientAliases", "discoveryName"),
        "ServiceRegistry": ("containerName", "containerPort", "port"),
    },
    "domain/express.py": {"ExpressGatewayScalingTarget": ("maxTaskCount", "minTaskCount")},
    "domain/gateway.py": {"HostSharedAlbConfiguration": ("scheme",)},
    "domain/hooks.py": {"DeploymentLifecycleHook": ("hookDetails",)},
    "domain/instance.py": {
        "Resource": ("doubleValue", "integerValue", "longValue", "stringSetValue"),
    },
    "domain/managed_volume.py": {
        "ServiceVolumeConfiguration": ("managedEBSVolume",),
        "TaskVolumeConfiguration": ("managedEBSVolume",),
    },
    "domain/ports.py": {"PortMapping": ("protocol",)},
    "domain/references.py": {"Secret": ("valueFrom",)},
    "domain/stages.py": {
        "CanaryConfiguration": ("canaryBakeTimeInMinutes", "canaryPercent"),
        "DaemonDeploymentConfiguration": ("bakeTimeInMinutes",),
        "DeploymentConfiguration": (
            "canaryConfiguration",
            "earlySuccessCriteria",
            "lifecycleHooks",
            "linearConfiguration",
        ),
        "DeploymentEarlySuccessCriteria": ("sourceServiceRevisionCleanup",),
        "LinearConfiguration": ("stepBakeTimeInMinutes", "stepPercent"),
    },
    "domain/strategy.py": {
        "CapacityProviderStrategyItem": ("base", "capacityProvider", "weight"),
    },
    "domain/task.py": {
        "ContainerOverride": ("environmentFiles",),
        "EnvironmentFile": ("value",),
        "RegisterDaemonTaskDefinition": ("taskRoleArn",),
    },
    "domain/task_definition.py": {"RegisterDaemonTaskDefinition": ("containerDefinitions",)},
    "engines/spec.py": {
        "ContainerDefinition": ("dockerLabels", "interactive", "pseudoTerminal"),
        "ContainerOverride": ("command", "environment"),
        "ContainerRestartPolicy": ("enabled",),
        "DaemonContainerDefinition": ("interactive", "pseudoTerminal"),
        "DaemonLinuxParameters": ("initProcessEnabled",),
        "EFSAuthorizationConfig": ("accessPointId",),
        "EFSVolumeConfiguration": ("authorizationConfig", "fileSystemId", "rootDirectory"),
        "FSxWindowsFileServerVolumeConfiguration": (
            "authorizationConfig",
            "fileSystemId",
            "rootDirectory",
        ),
        "KeyValuePair": ("name", "value"),
        "LinuxParameters": ("initProcessEnabled",),
        "RegisterDaemonTaskDefinition": ("volumes",),
        "S3FilesVolumeConfiguration": ("accessPointArn", "fileSystemArn", "rootDirectory"),
    },
    "metadata/endpoints.py": {"RegisterTaskDefinition": ("enableFaultInjection",)},
    # Of tasks that somebody else's agent runs, which a furnished account has none of.
    "operations/agent_calls.py": {
        "AttachmentStateChange": ("status",),
        "ContainerStateChange": ("exitCode", "reason"),
        "SubmitContainerStateChange": ("exitCode", "reason"),
        "SubmitTaskStateChange": ("reason",),
    },
    # Each has one value in the model, which is all that is checked.
    "protocol/parameters.py": {"EnvironmentFile": ("type",), "ListAttributes": ("targetType",)},
    "scheduler/agent.py": {"HealthCheck": ("timeout",)},
    "scheduler/daemons.py": {"DaemonDeploymentConfiguration": ("drainPercent",)},
    "scheduler/health.py": {"HealthCheck": ("interval", "retries", "startPeriod")},
    "scheduler/rollouts.py": {
        "DeploymentAlarms": ("rollback",),
        "DeploymentCircuitBreaker": ("enable", "resetOnHealthyTask", "rollback"),
        "DeploymentConfiguration": ("deploymentCircuitBreaker",),
    },
    "scheduler/services.py": {
        "DeploymentConfiguration": ("maximumPercent", "minimumHealthyPercent"),
    },
    "traffic/listening.py": {
        "AdvancedConfiguration": (
            "alternateTargetGroupArn",
            "productionListenerRule",
            "testListenerRule",
        ),
        "LoadBalancer": ("advancedConfiguration",),
    },
}


def read_from_records() -> dict[tuple[str, str], str]:
    """(shape, member) -> the module that reads it."""
    return {
        (shape, member): module
        for module, shapes in READERS.items()
        for shape, members in shapes.items()
        for member in members
    }
