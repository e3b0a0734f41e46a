"""Images of the local Docker that a kind cluster needs."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

from kecs_server.engines.kubernetes.commands import CommandError
from kecs_server.engines.kubernetes.commands import run


class LocalImages:
    """Copies local images into a cluster when first needed, and again when a tag was rebuilt."""

    def __init__(self, load: Callable[[str], None]) -> None:
        """:param load: copies the image of that name; raises `CommandError`."""
        self._load = load
        self._lock = Lock()
        self._loaded: dict[str, str] = {}

    def ensure(self, image: str) -> None:
        """Have the cluster know `image` as the local Docker does. One that the local Docker does
        not have is left to the cluster, which pulls it.

        :raises CommandError: it is there and could not be copied.
        """
        with self._lock:
            image_id = local_image_id(image)
            if image_id is None or self._loaded.get(image) == image_id:
                return
            self._load(image)
            self._loaded[image] = image_id


def local_image_id(image: str) -> str | None:
    """Id of an image in the local Docker; None: it is not there, or cannot be a name at all."""
    command = ["docker", "image", "inspect", "--format", "{{.Id}}", "--", image]
    try:
        found = run(command, what=f"docker could not look for the image {image}", timeout=30)
    except CommandError as error:
        if error.exit_code is None:
            raise
        return None
    return found.decode().strip()
