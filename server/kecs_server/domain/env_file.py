"""The format of environment files (ecs-facts 6.13)."""

from __future__ import annotations


def parse_env_file(text: str) -> dict[str, str]:
    """`VAR=value` a line; the last one of a variable counts. Lines that begin with `#`, and those
    without a name or a value, are skipped. Quotes, blanks and `$` are part of the value.

    :raises ValueError: a NUL is in the text, which no variable can hold.
    """
    if "\0" in text:
        raise ValueError("an environment file cannot contain a NUL")
    variables: dict[str, str] = {}
    for line in text.split("\n"):
        name, _, value = line.removesuffix("\r").partition("=")
        if name and value and not name.startswith("#"):
            variables[name] = value
    return variables
