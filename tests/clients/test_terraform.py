"""Terraform's AWS provider, where Terraform is installed and has it: from its registry, or from the
folder that KECS_TERRAFORM_PLUGINS names.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

MAIN = Path(__file__).with_name("main.tf")
SECONDS = 240
# A plan's exit status is 2 when what is there is not what was applied.
CYCLE = """
set -eu
terraform apply -auto-approve -input=false -no-color
terraform plan -detailed-exitcode -input=false -no-color
terraform apply -auto-approve -input=false -no-color -var tasks=2
terraform destroy -auto-approve -no-color -var tasks=2
"""

pytestmark = pytest.mark.skipif(
    shutil.which("terraform") is None, reason="Terraform is not installed"
)


def run(folder: Path, *command: str) -> str:
    done = ran(folder, *command)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def ran(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "CHECKPOINT_DISABLE": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def initialize(folder: Path) -> None:
    """Get the provider; the test is skipped where nobody has it."""
    plugins = os.environ.get("KECS_TERRAFORM_PLUGINS")
    source = [f"-plugin-dir={plugins}"] if plugins else []
    done = ran(folder, "terraform", "init", "-input=false", "-no-color", *source)
    if not plugins and "could not connect to registry" in " ".join(done.stderr.split()):
        pytest.skip("Terraform's registry cannot be reached, and KECS_TERRAFORM_PLUGINS is not set")
    assert done.returncode == 0, done.stderr + done.stdout


def test_resources_are_made_kept_changed_and_destroyed(tmp_path: Path) -> None:
    shutil.copy(MAIN, tmp_path)
    initialize(tmp_path)
    kecs = Path(sys.executable).with_name("kecs")
    said = run(tmp_path, str(kecs), "run", "--", "sh", "-c", CYCLE)
    assert "Apply complete! Resources: 3 added, 0 changed, 0 destroyed." in said
    assert "No changes." in said
    assert "Apply complete! Resources: 0 added, 1 changed, 0 destroyed." in said
    assert "Destroy complete! Resources: 3 destroyed." in said
