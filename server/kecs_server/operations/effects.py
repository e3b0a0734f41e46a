"""Parameters that are accepted, kept and given back, but change nothing yet, and those that are
refused.

The one list of them: the README shows it, and tests compare it with botocore's model and with what
handlers read, so that no parameter is ignored without being named here.
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


@dataclass(frozen=True, slots=True)
class Refused:
    """`members` of the model's shape (or operation's input) `where` that no request may have yet,
    and why.
    """

    where: str
    members: tuple[str, ...]
    reason: str


_EBS = ("TaskManagedEBSVolumeConfiguration", "ServiceManagedEBSVolumeConfiguration")
_GPUS = "but for a number of GPUs, a limit of `nvidia.com/gpu` where as many are"
_HOST_DEVICES = "placed where as many GPUs are; but a process uses what devices the host has"
_NO_INFERENCE = "AWS has ended Elastic Inference; nothing stands for its devices"
_NO_IAM = "there is no IAM here"
_NO_MESH = "there are no meshes here"
_NO_PROXY = "names lead to tasks without a proxy in between"
_AS_CONTAINER = "as for ContainerDefinition"
_RECORDS = "checked; the load balancers of gateways are records"
_NO_TRAFFIC = "checked; the load balancers of Express services are records"
_UNSIGNED = "no EC2 is there that signed the identity document"
_NO_NAMESPACE = "a process shares the host's: nothing around it is its own"
_NO_FILE_SERVER = "every volume is a directory: nothing travels to a file server"
_NO_CPU_LIMIT = "processor time is not limited"

STORED = (
    Stored(
        "CreateCluster",
        ("configuration", "serviceConnectDefaults", "settings"),
        "checked, and the namespace is that of its services; no metrics, exec logs or keys here",
    ),
    Stored(
        "UpdateCluster",
        ("configuration", "serviceConnectDefaults", "settings"),
        "as for CreateCluster",
    ),
    Stored("UpdateClusterSettings", ("settings",), "as for CreateCluster"),
    Stored(
        "PutAccountSetting",
        ("value",),
        "containerInsights is that of new clusters; ARNs are long, and there is nothing here that "
        "the others are about",
    ),
    Stored("PutAccountSettingDefault", ("value",), "as for PutAccountSetting"),
    Stored(
        "AutoScalingGroupProvider",
        ("managedDraining", "managedScaling", "managedTerminationProtection"),
        "checked, and shown as a cluster's attachments; there are no Auto Scaling groups here",
    ),
    Stored(
        "AutoScalingGroupProviderUpdate",
        ("managedDraining", "managedScaling", "managedTerminationProtection"),
        "as for AutoScalingGroupProvider",
    ),
    Stored(
        "CreateManagedInstancesProviderConfiguration",
        (
            "autoRepairConfiguration",
            "infrastructureOptimization",
            "infrastructureRoleArn",
            "instanceLaunchTemplate",
            "propagateTags",
        ),
        "checked; no instances are launched for a provider",
    ),
    Stored(
        "UpdateManagedInstancesProviderConfiguration",
        (
            "autoRepairConfiguration",
            "infrastructureOptimization",
            "infrastructureRoleArn",
            "instanceLaunchTemplate",
            "propagateTags",
        ),
        "as for CreateManagedInstancesProviderConfiguration",
    ),
    Stored("RegisterTaskDefinition", ("executionRoleArn",), _NO_IAM),
    Stored(
        "RegisterTaskDefinition",
        ("ephemeralStorage",),
        "told by metadata with what the task stores; nothing stops a process that writes more",
        engine="process",
    ),
    Stored("RegisterTaskDefinition", ("inferenceAccelerators",), _NO_INFERENCE),
    Stored(
        "RegisterTaskDefinition",
        ("proxyConfiguration",),
        "no traffic is led through the proxy, which runs as any container",
    ),
    Stored(
        "RegisterTaskDefinition",
        ("runtimePlatform",),
        "a process is of the host's architecture; for Windows there is no capacity",
        engine="process",
    ),
    Stored(
        "RegisterTaskDefinition",
        ("runtimePlatform",),
        "nodes of the architecture come first, and others if there are none; for Windows there is "
        "no capacity",
        engine="kubernetes",
    ),
    Stored(
        "RegisterTaskDefinition",
        ("trustedExecutionConfiguration",),
        "there are no enclaves here; it has Managed Instances alone",
    ),
    Stored("RegisterTaskDefinition", ("cpu",), _NO_CPU_LIMIT, engine="process"),
    Stored("RegisterTaskDefinition", ("ipcMode", "pidMode"), _NO_NAMESPACE, engine="process"),
    Stored(
        "ContainerDefinition",
        ("credentialSpecs",),
        "there is no Active Directory here",
    ),
    Stored(
        "ContainerDefinition",
        ("disableNetworking",),
        "containers have the network of the host, of their task or of their Pod",
    ),
    Stored("ContainerDefinition", ("dockerSecurityOptions",), _NO_NAMESPACE, engine="process"),
    Stored(
        "ContainerDefinition",
        ("dockerSecurityOptions",),
        "but for `no-new-privileges` and SELinux labels",
        engine="kubernetes",
    ),
    Stored(
        "ContainerDefinition",
        ("firelensConfiguration",),
        "a configuration file in S3 is not read; records have no `ec2_instance_id`",
    ),
    Stored(
        "ContainerDefinition",
        ("repositoryCredentials",),
        "nothing is pulled; their secret must be there all the same",
        engine="process",
    ),
    Stored("ContainerDefinition", ("resourceRequirements",), _HOST_DEVICES, engine="process"),
    Stored("ContainerDefinition", ("resourceRequirements",), _GPUS, engine="kubernetes"),
    Stored(
        "ContainerDefinition",
        ("versionConsistency",),
        "each task has what its image's tag means when it starts",
    ),
    Stored(
        "ContainerDefinition",
        ("logConfiguration",),
        "awslogs needs `--kecs-aws-endpoint`, and never blocks the container, whatever `mode` and "
        "`max-buffer-size` say; other drivers send nothing. Options from secrets must be there",
    ),
    Stored("ContainerDefinition", ("ulimits",), "a Pod has those of its node", engine="kubernetes"),
    Stored("ContainerDefinition", ("cpu",), _NO_CPU_LIMIT, engine="process"),
    Stored(
        "ContainerDefinition",
        ("dnsSearchDomains", "dnsServers", "extraHosts"),
        "names are resolved as on the host; with `kecs_netns` by `extraHosts` too",
        engine="process",
    ),
    Stored("ContainerDefinition", ("hostname",), "a variable HOSTNAME, no more", engine="process"),
    Stored(
        "ContainerDefinition",
        ("memoryReservation",),
        "the host reserves nothing for a process",
        engine="process",
    ),
    Stored(
        "ContainerDefinition",
        ("privileged", "readonlyRootFilesystem", "systemControls"),
        _NO_NAMESPACE,
        engine="process",
    ),
    Stored(
        "ContainerDefinition",
        ("user",),
        "as root it has effect; without, all containers run as who runs the tests",
        engine="process",
    ),
    Stored(
        "LinuxParameters",
        ("capabilities", "devices", "maxSwap", "sharedMemorySize", "swappiness"),
        _NO_NAMESPACE,
        engine="process",
    ),
    Stored(
        "LinuxParameters",
        ("devices", "maxSwap", "swappiness"),
        "Pods have no such thing",
        engine="kubernetes",
    ),
    Stored("Tmpfs", ("mountOptions",), "but for `ro`", engine="kubernetes"),
    Stored("Tmpfs", ("mountOptions", "size"), "a directory of the host's disk", engine="process"),
    Stored("PortMapping", ("appProtocol",), _NO_PROXY),
    Stored("EFSAuthorizationConfig", ("iam",), _NO_IAM),
    Stored(
        "EFSVolumeConfiguration", ("transitEncryption", "transitEncryptionPort"), _NO_FILE_SERVER
    ),
    Stored(
        "FSxWindowsFileServerAuthorizationConfig",
        ("credentialsParameter", "domain"),
        _NO_FILE_SERVER,
    ),
    Stored("S3FilesVolumeConfiguration", ("transitEncryptionPort",), _NO_FILE_SERVER),
    Stored(
        "MountPoint",
        ("readOnly",),
        "a link cannot be read-only; with `kecs_netns` the volume is, unless the container "
        "mounts it to write, too, or has its own directories in it",
        engine="process",
    ),
    Stored("VolumeFrom", ("readOnly",), "as for MountPoint", engine="process"),
    Stored(
        "DockerVolumeConfiguration",
        ("autoprovision", "driver", "driverOpts", "labels"),
        "every volume is a directory",
    ),
    Stored("ContainerOverride", ("resourceRequirements",), _HOST_DEVICES, engine="process"),
    Stored("ContainerOverride", ("resourceRequirements",), _GPUS, engine="kubernetes"),
    Stored(
        "ContainerOverride",
        ("cpu", "memoryReservation"),
        _AS_CONTAINER,
        engine="process",
    ),
    Stored("TaskOverride", ("executionRoleArn",), _NO_IAM),
    Stored("TaskOverride", ("inferenceAcceleratorOverrides",), _NO_INFERENCE),
    Stored(
        "TaskOverride",
        ("ephemeralStorage",),
        "as for RegisterTaskDefinition",
        engine="process",
    ),
    Stored("TaskOverride", ("cpu",), _NO_CPU_LIMIT, engine="process"),
    Stored("RunTask", ("referenceId",), "for ECS's own use"),
    Stored("StartTask", ("referenceId",), "for ECS's own use"),
    Stored("RegisterContainerInstance", ("instanceIdentityDocumentSignature",), _UNSIGNED),
    Stored("ContainerStateChange", ("imageDigest",), "an image's digest is what its name says"),
    Stored(
        "ManagedAgentStateChange",
        ("managedAgentName", "reason", "status"),
        "the agent of ExecuteCommand is there while its container runs",
    ),
    Stored("NetworkBinding", ("bindIP",), "host ports are bound at every address"),
    *(
        Stored(
            where,
            (
                "encrypted",
                "filesystemType",
                "iops",
                "kmsKeyId",
                "roleArn",
                "tagSpecifications",
                "throughput",
                "volumeInitializationRate",
                "volumeType",
            ),
            "checked; the volume is a directory of the task",
        )
        for where in _EBS
    ),
    *(Stored(where, ("snapshotId",), "the volume begins empty") for where in _EBS),
    *(
        Stored(where, ("sizeInGiB",), "as for `ephemeralStorage`", engine="process")
        for where in _EBS
    ),
    Stored(
        "TaskManagedEBSVolumeConfiguration",
        ("terminationPolicy",),
        "the attachment says so; what the volume holds goes with the task",
    ),
    Stored(
        "AwsVpcConfiguration",
        ("assignPublicIp", "securityGroups", "subnets"),
        "checked; a task has the network of its engine",
    ),
    Stored(
        "ExpressGatewayServiceNetworkConfiguration",
        ("securityGroups", "subnets"),
        "as for AwsVpcConfiguration",
    ),
    Stored("DeploymentLifecycleHook", ("roleArn",), _NO_IAM),
    Stored(
        "LoadBalancer",
        ("loadBalancerName",),
        "checked; nothing stands for Classic Load Balancers",
    ),
    Stored("AdvancedConfiguration", ("roleArn",), _NO_IAM),
    Stored("CreateService", ("role",), _NO_IAM),
    Stored(
        "CreateService",
        ("vpcLatticeConfigurations",),
        _NO_MESH,
    ),
    Stored(
        "ServiceConnectConfiguration",
        ("accessLogConfiguration", "containerConfigurations", "logConfiguration"),
        _NO_PROXY,
    ),
    Stored("ServiceConnectService", ("ingressPortOverride", "timeout", "tls"), _NO_PROXY),
    Stored("ServiceConnectClientAlias", ("testTrafficRules",), _NO_PROXY),
    Stored(
        "CreateService",
        ("monitoring",),
        "there is no CloudWatch here to send metrics to",
    ),
    Stored(
        "UpdateService",
        ("vpcLatticeConfigurations",),
        _NO_MESH,
    ),
    Stored(
        "UpdateService",
        ("monitoring",),
        "as for CreateService",
    ),
    Stored("CreateExpressGatewayService", ("executionRoleArn", "infrastructureRoleArn"), _NO_IAM),
    Stored("CreateExpressGatewayService", ("healthCheckPath",), _NO_TRAFFIC),
    Stored("UpdateExpressGatewayService", ("executionRoleArn",), _NO_IAM),
    Stored("UpdateExpressGatewayService", ("healthCheckPath",), _NO_TRAFFIC),
    Stored(
        "ExpressGatewayScalingTarget",
        ("autoScalingMetric", "autoScalingTargetValue"),
        "nothing is scaled by metrics; the count stays between minimum and maximum",
    ),
    Stored("ExpressGatewayContainer", ("repositoryCredentials",), _AS_CONTAINER, engine="process"),
    Stored("RegisterDaemonTaskDefinition", ("executionRoleArn",), _NO_IAM),
    Stored("RegisterDaemonTaskDefinition", ("cpu",), _NO_CPU_LIMIT, engine="process"),
    Stored("RegisterDaemonTaskDefinition", ("ipcMode", "pidMode"), _NO_NAMESPACE, engine="process"),
    Stored(
        "DaemonContainerDefinition",
        ("firelensConfiguration", "logConfiguration"),
        _AS_CONTAINER,
    ),
    Stored(
        "DaemonContainerDefinition", ("repositoryCredentials",), _AS_CONTAINER, engine="process"
    ),
    Stored(
        "DaemonContainerDefinition",
        (
            "cpu",
            "memoryReservation",
            "privileged",
            "readonlyRootFilesystem",
            "systemControls",
            "user",
        ),
        _AS_CONTAINER,
        engine="process",
    ),
    Stored("DaemonContainerDefinition", ("ulimits",), _AS_CONTAINER, engine="kubernetes"),
    Stored(
        "DaemonLinuxParameters",
        ("capabilities", "devices"),
        "as for LinuxParameters",
        engine="process",
    ),
    Stored("DaemonLinuxParameters", ("devices",), "as for LinuxParameters", engine="kubernetes"),
    Stored("DaemonVolume", ("logDriverVolumeConfiguration",), "checked; an empty directory"),
    Stored(
        "CreateGateway",
        ("infrastructureRoleArn", "propagateTags"),
        _RECORDS,
    ),
    Stored("UpdateGateway", ("infrastructureRoleArn", "propagateTags"), _RECORDS),
    Stored(
        "HostSharedAlbConfiguration",
        (
            "accessLogs",
            "httpDesync",
            "networkConfiguration",
            "testTrafficRules",
            "webACLArn",
        ),
        _RECORDS,
    ),
    Stored(
        "UpdateGatewayAlbConfiguration",
        ("accessLogs", "httpDesync", "networkConfiguration", "testTrafficRules", "webACLArn"),
        _RECORDS,
    ),
    Stored("GatewayConnector", ("deregistrationDelay", "healthCheck"), _RECORDS),
)

REFUSED: tuple[Refused, ...] = ()


def markdown() -> str:
    """The table of the README."""
    rows = ["| where | accepted, without effect | on engine | why |", "|---|---|---|---|"]
    for row in STORED:
        members = ", ".join(f"`{member}`" for member in row.members)
        rows.append(f"| {row.where} | {members} | {row.engine or 'both'} | {row.reason} |")
    return "\n".join(rows)
