"""The README's tables are what the code says, and no parameter is ignored without a word."""

from __future__ import annotations

from pathlib import Path

import pytest
from kecs_server.operations import table
from kecs_server.operations.effects import STORED
from kecs_server.operations.effects import markdown
from kecs_server.operations.table import all_operations
from kecs_server.protocol.model import operation_model
from kecs_server.protocol.model import operation_names
from kecs_server.protocol.model import service_model

from pytest_kecs.settings import reference_markdown

ROOT = Path(__file__).parents[2]
NESTED = (
    "AutoScalingGroupProvider",
    "AwsVpcConfiguration",
    "ContainerDefinition",
    "ContainerOverride",
    "CreateManagedInstancesProviderConfiguration",
    "DaemonContainerDefinition",
    "DaemonDeploymentConfiguration",
    "DaemonLinuxParameters",
    "DaemonVolume",
    "DeploymentConfiguration",
    "DockerVolumeConfiguration",
    "ExpressGatewayContainer",
    "ExpressGatewayScalingTarget",
    "GatewayConnector",
    "HostSharedAlbConfiguration",
    "LinuxParameters",
    "MountPoint",
    "TaskOverride",
    "Tmpfs",
    "UpdateGatewayAlbConfiguration",
    "Volume",
    "VolumeFrom",
)


def readme() -> str:
    return (ROOT / "README.md").read_text(encoding="utf-8")


def members_of(where: str) -> set[str]:
    if where in operation_names():
        return set(operation_model(where).input_shape.members)
    return set(service_model().shape_for(where).members)


def source() -> str:
    """All code of the server but the list itself."""
    return "".join(
        path.read_text(encoding="utf-8")
        for path in (ROOT / "server" / "kecs_server").rglob("*.py")
        if path.name != "effects.py"
    )


def test_the_readme_has_the_table_of_settings() -> None:
    assert reference_markdown() in readme()


def test_the_readme_has_the_table_of_parameters_without_effect() -> None:
    assert markdown() in readme()


def test_the_readme_has_the_table_of_operations() -> None:
    assert table.markdown() in readme()


@pytest.mark.parametrize("row", STORED, ids=lambda row: f"{row.where}-{row.members[0]}{row.engine}")
def test_what_is_listed_is_in_the_model(row: object) -> None:
    assert set(row.members) <= members_of(row.where)  # type: ignore[attr-defined]


@pytest.mark.parametrize("where", [*sorted(all_operations().operations()), *NESTED])
def test_a_member_is_used_or_listed(where: str) -> None:
    listed = {member for row in STORED if row.where == where for member in row.members}
    code = source()
    unused = {member for member in members_of(where) - listed if f'"{member}"' not in code}
    assert unused == set()
