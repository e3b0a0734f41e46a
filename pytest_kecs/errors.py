"""What goes wrong, as types with fields. Each text says what happened and what to do about it."""

from __future__ import annotations


class KecsError(Exception):
    """Base of all errors that pytest-kecs raises on purpose."""


class InvalidSetting(KecsError):
    """A value that a person gave (option, argument, variable) is not one that can be used."""


class UnsafeHome(KecsError):
    """The folder for environments could be read or changed by somebody else."""


class EnvironmentStartError(KecsError):
    """An environment could not be started, or ended before it answered."""


class EnvironmentNotFound(KecsError):
    """No environment of this user has that name."""

    def __init__(self, name: str, known: list[str]) -> None:
        there = f"there are: {', '.join(known)}" if known else "there is none at the moment"
        super().__init__(f"no environment is called {name!r}; {there} (see `kecs list`)")
        self.name = name


class ServerGone(KecsError):
    """The environment's server cannot be reached any more, or does not answer."""

    def __init__(self, endpoint: str, text: str) -> None:
        super().__init__(f"the kecs server at {endpoint} {text}")
        self.endpoint = endpoint


class AdminError(KecsError):
    """The environment's server refused a call of its `/_kecs` interface."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{text} (HTTP {status})")
        self.status = status
        self.text = text
