"""Pages of the site that code generates: fixtures, settings, parameters, the command line."""

from __future__ import annotations

import argparse
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from kecs_server.operations import effects
from kecs_server.operations import table
from kecs_server.protocol.model import operation_names
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File
from mkdocs.structure.files import Files

from pytest_kecs import cli
from pytest_kecs import plugin
from pytest_kecs import settings


def on_files(files: Files, config: MkDocsConfig) -> Files:
    for name, text in {
        "settings": settings_page(),
        "fixtures": fixtures_page(),
        "parameters": parameters_page(),
        "command-line": command_line_page(),
    }.items():
        files.append(File.generated(config, f"reference/{name}.md", content=text))
    return files


def settings_page() -> str:
    return f"""# Settings

For each setting the first that is given wins: marker, option, environment variable, ini key,
default. The header of a run says what was taken, and from where.

Write options with `=`: pytest looks for its root directory before it knows them, and takes a path
that stands alone for a test's; a run that this would mislead ends with an error.

{settings.reference_markdown()}"""


def fixtures_page() -> str:
    parts = [
        "# Fixtures",
        "A test that asks for one of them uses ECS, as with the marker.",
    ]
    for name in plugin.__all__:
        function = inspect.unwrap(getattr(plugin, name)._get_wrapped_function())
        parts += [f"## {name}", inspect.getdoc(function) or ""]
    return "\n\n".join(parts) + "\n"


def parameters_page() -> str:
    return f"""# Operations and parameters

{table.markdown(operation_names())}
## Parameters without an effect

Every other parameter has the effect that it has on ECS, or is refused with ECS's error; see
[the coverage](../api-coverage.md) of each operation.

{effects.markdown()}"""


def command_line_page() -> str:
    parts = ["# Command line"]
    for parser in parsers(cli._parser()):
        parts += [f"## {parser.prog}", f"```text\n{parser.format_help().rstrip()}\n```"]
    return "\n\n".join(parts) + "\n"


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """The parser and those of its commands."""
    yield parser
    commands: Any = next(
        (a for a in parser._actions if isinstance(a, argparse._SubParsersAction)), None
    )
    for command in commands.choices.values() if commands else ():
        yield from parsers(command)
