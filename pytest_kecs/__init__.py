"""pytest-kecs: tests get ephemeral, real Amazon ECS environments.

The plugin's modules, from the outside in: `plugin` (hooks), `opening` (the run), `isolation`
(the test), `fixtures`, `kecs` (what a test holds); below them `environment` and `ownership`, which
use `launcher`, `registry`, `admin` and `exports`. Of `kecs_server` only `credentials` and
`settings` are imported: all else goes over HTTP.
"""

from __future__ import annotations

__version__ = "0.1.0"
