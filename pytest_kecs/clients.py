"""boto3 clients of the run's environment."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

from kecs_server.credentials import Credentials

from pytest_kecs.exports import client_url

if TYPE_CHECKING:
    import boto3
    from botocore.config import Config
    from mypy_boto3_ecs import ECSClient


class Clients:
    """Makes clients of one endpoint. They share a session: the service model is read once."""

    def __init__(
        self, endpoint: str, credentials: Credentials, region: str, *, ca_file: str | None = None
    ) -> None:
        """:param ca_file: what clients trust, if they are to use TLS."""
        self._endpoint = client_url(endpoint, ca_file)
        self._ca_file = ca_file
        self._credentials = credentials
        self._region = region
        self._session: boto3.Session | None = None

    def ecs(
        self,
        *,
        region: str | None = None,
        credentials: Credentials | None = None,
        config: Config | None = None,
    ) -> ECSClient:
        """An ECS client; by default in the run's region and with this process's access key."""
        credentials = credentials or self._credentials
        options: dict[str, Any] = {} if config is None else {"config": config}
        return self._shared_session().client(
            "ecs",
            endpoint_url=self._endpoint,
            region_name=region or self._region,
            aws_access_key_id=credentials.access_key,
            aws_secret_access_key=credentials.secret_key,
            verify=self._ca_file,
            **options,
        )

    def _shared_session(self) -> boto3.Session:
        if self._session is None:
            import boto3

            self._session = boto3.Session()
        return self._session
