"""`python -m kecs_server`: settings as JSON on standard input, log on standard error."""

from __future__ import annotations

import logging
import os
import sys

from kecs_server.serving import serve
from kecs_server.settings import ServerSettings


def main() -> int:
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    try:
        settings = ServerSettings.from_json(sys.stdin.read())
    except (TypeError, ValueError) as error:
        print(
            f"kecs_server: the settings on standard input cannot be read: {error}", file=sys.stderr
        )
        return 2
    serve(settings)
    logging.shutdown()
    # Not by way of the interpreter's end, which a thread that waits for an endpoint could hold up.
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
