"""What can be said of a kubeconfig before anything is started."""

from __future__ import annotations

import os


def kubeconfig_problem(path: str | None) -> str | None:
    """Why `path` cannot be a kubeconfig; None: it may be one, or was not given."""
    if path is None or os.path.isfile(path):
        return None
    if os.path.isdir(path):
        return f"{path!r} is a folder, not a kubeconfig file"
    return f"there is no file {path!r}"
