"""Parameters that are accepted, kept and given back, but change nothing yet.

The one list of them: the README shows it, and a test compares it with botocore's model and with
the code, so that no parameter is ignored without being named here.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stored:
    """`members` of the model's shape (or operation's input) `where`, and why they do nothing.

    `engine`: the one on which they do nothing; empty for both.
    """

    where: str
    members: tuple[str, ...]
    reason: str
    engine: str = ""


_LATER = "not applied yet; the container runs without it"
_NO_IAM = "there is no IAM here"
_NO_BALANCER = "there are no load balancers, registries or meshes yet"
_ONE_HOST = "the engine's host or cluster decides where a task runs"

STORED = (
    Stored(
        "CreateCluster",
        ("configuration", "serviceConnectDefaults", "settings"),
        "no metrics, exec logs or mesh here",
    ),
    Stored(
        "UpdateCluster",
        ("configuration", "serviceConnectDefaults", "settings"),
        "as for CreateCluster",
    ),
    Stored("UpdateClusterSettings", ("settings",), "as for CreateCluster"),
    Stored("RegisterTaskDefinition", ("executionRoleArn",), _NO_IAM),
    Stored(
        "RegisterTaskDefinition",
        (
            "cpu",
            "ephemeralStorage",
            "inferenceAccelerators",
            "ipcMode",
            "memory",
            "pidMode",
            "proxyConfiguration",
            "runtimePlatform",
            "trustedExecutionConfiguration",
            "volumes",
        ),
        "not applied yet; checked as ECS does where it is known how",
    ),
    Stored("RegisterTaskDefinition", ("placementConstraints",), _ONE_HOST),
    Stored(
        "ContainerDefinition",
        (
            "cpu",
            "credentialSpecs",
            "disableNetworking",
            "dnsSearchDomains",
            "dnsServers",
            "dockerLabels",
            "dockerSecurityOptions",
            "extraHosts",
            "firelensConfiguration",
            "hostname",
            "interactive",
            "linuxParameters",
            "logConfiguration",
            "memory",
            "memoryReservation",
            "mountPoints",
            "privileged",
            "pseudoTerminal",
            "readonlyRootFilesystem",
            "repositoryCredentials",
            "resourceRequirements",
            "systemControls",
            "ulimits",
            "user",
            "versionConsistency",
            "volumesFrom",
        ),
        _LATER,
    ),
    Stored(
        "ContainerOverride",
        ("cpu", "memory", "memoryReservation", "resourceRequirements"),
        _LATER,
    ),
    Stored(
        "TaskOverride",
        (
            "cpu",
            "ephemeralStorage",
            "executionRoleArn",
            "inferenceAcceleratorOverrides",
            "memory",
        ),
        _LATER,
    ),
    Stored("RunTask", ("placementConstraints", "placementStrategy"), _ONE_HOST),
    Stored("RunTask", ("referenceId",), "for ECS's own use"),
    Stored("RunTask", ("volumeConfigurations",), "checked; the volume is not made yet"),
    Stored(
        "AwsVpcConfiguration",
        ("assignPublicIp", "securityGroups", "subnets"),
        "checked; a task has the network of its engine",
    ),
    Stored(
        "CreateService",
        (
            "gatewayConnectors",
            "healthCheckGracePeriodSeconds",
            "loadBalancers",
            "role",
            "serviceConnectConfiguration",
            "serviceRegistries",
            "vpcLatticeConfigurations",
        ),
        _NO_BALANCER,
    ),
    Stored(
        "CreateService",
        ("availabilityZoneRebalancing", "placementConstraints", "placementStrategy"),
        _ONE_HOST,
    ),
    Stored(
        "CreateService",
        ("monitoring", "volumeConfigurations"),
        "not applied yet",
    ),
    Stored(
        "UpdateService",
        (
            "gatewayConnectors",
            "healthCheckGracePeriodSeconds",
            "loadBalancers",
            "serviceConnectConfiguration",
            "serviceRegistries",
            "vpcLatticeConfigurations",
        ),
        _NO_BALANCER,
    ),
    Stored(
        "UpdateService",
        ("availabilityZoneRebalancing", "placementConstraints", "placementStrategy"),
        _ONE_HOST,
    ),
    Stored(
        "UpdateService",
        ("monitoring", "volumeConfigurations"),
        "not applied yet",
    ),
    Stored(
        "DeploymentConfiguration",
        (
            "alarms",
            "bakeTimeInMinutes",
            "canaryConfiguration",
            "deploymentCircuitBreaker",
            "earlySuccessCriteria",
            "lifecycleHooks",
            "linearConfiguration",
        ),
        "only rolling updates without circuit breaker, alarms and hooks exist yet",
    ),
)


def markdown() -> str:
    """The table of the README."""
    rows = ["| where | accepted, without effect | on engine | why |", "|---|---|---|---|"]
    for row in STORED:
        members = ", ".join(f"`{member}`" for member in row.members)
        rows.append(f"| {row.where} | {members} | {row.engine or 'both'} | {row.reason} |")
    return "\n".join(rows)
