"""The certificate of an environment that is spoken to over TLS, and the authority that signs it."""

from __future__ import annotations

import os
from pathlib import Path

from pytest_kecs.errors import EnvironmentStartError

CA_FILE = "ca.pem"
"""In the environment's folder: what clients trust (AWS_CA_BUNDLE)."""

NAMES = ("127.0.0.1", "localhost")


def make_certificate(directory: Path) -> None:
    """Write both files: of a new authority, whose own key is kept nowhere.

    :raises EnvironmentStartError: trustme is not installed.
    """
    # A run without TLS does not pay for these imports.
    from kecs_server.settings import TLS_FILE

    try:
        import trustme
    except ImportError as error:
        raise EnvironmentStartError(
            "TLS needs the package trustme, which is not installed: pip install 'pytest-kecs[tls]'"
        ) from error
    authority = trustme.CA(organization_name="pytest-kecs")
    certificate = authority.issue_cert(*NAMES)
    authority.cert_pem.write_to_path(directory / CA_FILE)
    key_and_chain = certificate.private_key_and_cert_chain_pem.bytes()
    descriptor = os.open(directory / TLS_FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key_and_chain)


def ca_file(directory: str | Path) -> str | None:
    """What clients of the environment trust; None when it has no TLS."""
    path = Path(directory) / CA_FILE
    return str(path) if path.exists() else None
