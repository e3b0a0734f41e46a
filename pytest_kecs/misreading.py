"""Notice that pytest took the value of one of our options for a test path.

pytest determines its root directory and finds its ini file before it loads plugins. It does not
know our options then, so of `--kecs-kubeconfig FILE` it sees a path, FILE. When FILE's folder is
the project's, no harm is done; else the run would silently have another root and no ini file.
"""

from __future__ import annotations

import inspect
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pytest_kecs.settings import TABLE


def refuse_misread_values(config: pytest.Config, arguments: Sequence[str], options: Any) -> None:
    """:raises pytest.UsageError: the root directory or the ini file came from an option's value.

    :param options: the arguments as they are understood now that our options are known.
    """
    misread = [
        (row.flag, value)
        for row in TABLE
        if row.flag in arguments
        and (value := getattr(options, row.ini, None))
        and Path(config.invocation_params.dir, value).exists()
    ]
    if not misread:
        return
    right = _rootdir_and_ini(config, options)
    if right is None or right == (config.rootpath, config.inipath):
        return
    joined = " ".join(shlex.quote(f"{flag}={value}") for flag, value in misread)
    raise pytest.UsageError(
        f"write {joined}, with an equals sign: pytest took the value for a test path, and so "
        f"{config.rootpath} for its root directory, with {config.inipath or 'no ini file'}, "
        f"instead of {right[0]} with {right[1] or 'no ini file'}"
    )


def _rootdir_and_ini(config: pytest.Config, options: Any) -> tuple[Path, Path | None] | None:
    """What pytest had found with our options known; None: it cannot be asked."""
    try:
        from _pytest.config.findpaths import determine_setup

        known = inspect.signature(determine_setup).parameters
        wanted = {
            "inifile": options.inifilename,
            "override_ini": None,
            "args": options.file_or_dir,
            "rootdir_cmd_arg": options.rootdir or None,
            "invocation_dir": config.invocation_params.dir,
        }
        found: Any = determine_setup(**{name: wanted[name] for name in known})
    except (ImportError, AttributeError, KeyError, TypeError):
        # Not a public function: another pytest may have it elsewhere, or another way.
        return None
    return found[0], found[1]
