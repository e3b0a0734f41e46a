"""Every setting of the plugin, in one table.

The table makes the command line options, the ini keys, the environment variables and the
reference in the README. For each setting the first of these that is given wins:
option, environment variable, ini key, default. (A marker's arguments win over all of them.)
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from dataclasses import fields
from difflib import get_close_matches
from typing import Any

import pytest

from pytest_kecs.kubeconfig import kubeconfig_problem

ARTIFACTS_MODES = ("off", "on", "retain-on-failure")
ENGINES = ("process", "kind", "kubernetes", "auto")


class InvalidValue(ValueError):
    """A value that a setting or marker argument cannot have; the text says what it may be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One row: `name` is the attribute of `Settings`, and gives the ini key and the variable.

    `parse` turns text into the value; it raises `InvalidValue`. A setting without `metavar` is
    a switch. `on_command_line` is False for what only the ini file or the environment can say.
    """

    name: str
    default: Any
    default_text: str
    parse: Callable[[str], Any]
    help: str
    metavar: str | None = None
    on_command_line: bool = True
    lines: bool = False

    @property
    def flag(self) -> str:
        return "--kecs-" + self.name.replace("_", "-")

    @property
    def ini(self) -> str:
        return "kecs_" + self.name

    @property
    def variable(self) -> str:
        return "PYTEST_KECS_" + self.name.upper()


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The values that won. `sources` tells for each name where its value came from."""

    engine: str
    region: str
    keep_cluster: bool
    keep_for: float
    kind_image: str | None
    kubeconfig: str | None
    context: str | None
    namespace: str | None
    aws_endpoint: str | None
    tls: bool
    strict_time: bool
    pid1: bool
    netns: bool
    netns_reach: Sequence[str]
    cgroup: str | None
    startup_timeout: float
    log_lines: int
    artifacts: str | None
    artifacts_mode: str
    images: Mapping[str, str]
    env: str
    sources: Mapping[str, str] = field(default_factory=dict)

    def described(self, name: str) -> str:
        """A value and its source, as the header shows them: `kind (ini)`."""
        return f"{getattr(self, name)} ({self.sources.get(name, 'default')})"


def add_options(parser: pytest.Parser) -> None:
    """Declare the options and ini keys of the table."""
    group = parser.getgroup("kecs", "Amazon ECS environments (pytest-kecs)")
    for row in TABLE:
        text = f"{row.help} (ini: {row.ini}, variable: {row.variable})"
        if row.on_command_line and row.metavar is None:
            group.addoption(row.flag, action="store_const", const="true", dest=row.ini, help=text)
        elif row.on_command_line:
            group.addoption(row.flag, metavar=row.metavar, dest=row.ini, help=text)
        kind: Any = "linelist" if row.lines else "string" if row.metavar else "bool"
        parser.addini(row.ini, row.help, type=kind, default=None)


def resolve(
    option: Callable[[str], Any], ini: Callable[[str], Any], environ: Mapping[str, str]
) -> Settings:
    """Choose each setting's value; `option` and `ini` return None for what was not given.

    :raises pytest.UsageError: a value is wrong; names where it was given and what is allowed.
    """
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for row in TABLE:
        values[row.name], sources[row.name] = _choose(row, option, ini, environ)
    settings = Settings(**values, sources=sources)
    _check_together(settings)
    return settings


def _choose(
    row: Setting,
    option: Callable[[str], Any],
    ini: Callable[[str], Any],
    environ: Mapping[str, str],
) -> tuple[Any, str]:
    given = option(row.ini) if row.on_command_line else None
    if given is not None:
        return _parsed(row, given, row.flag), "option"
    if (given := environ.get(row.variable)) is not None:
        return _parsed(row, given, row.variable), row.variable
    try:
        given = ini(row.ini)
    except (ValueError, pytest.UsageError) as error:
        raise pytest.UsageError(f"ini key {row.ini}: {error}") from error
    if given is not None:
        return _parsed(row, given, f"ini key {row.ini}"), "ini"
    return row.default, "default"


def _parsed(row: Setting, given: Any, where: str) -> Any:
    if isinstance(given, bool):
        return given
    text = "\n".join(given) if isinstance(given, list) else str(given)
    try:
        return row.parse(text.strip())
    except InvalidValue as error:
        raise pytest.UsageError(f"{where}: {text!r} cannot be used: {error}") from None


def _check_together(settings: Settings) -> None:
    if settings.engine != "kubernetes":
        return
    problem = kubeconfig_problem(settings.kubeconfig)
    if problem is not None:
        raise pytest.UsageError(
            f"--kecs-kubeconfig: {problem}. Name the kubeconfig of the cluster to use, or leave "
            "the option out for KUBECONFIG or ~/.kube/config."
        )


def choice(value: str, allowed: tuple[str, ...]) -> str:
    """`value`, when it is one of `allowed`.

    :raises InvalidValue: it is not; suggests the nearest.
    """
    if value in allowed:
        return value
    near = get_close_matches(value, allowed, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise InvalidValue(f"allowed are {', '.join(allowed)}{hint}")


def parse_engine(value: str) -> str:
    if value == "external":
        raise InvalidValue(
            "the engine 'external' (an environment that runs elsewhere) is not in this version; "
            f"allowed are {', '.join(ENGINES)}"
        )
    return choice(value, ENGINES)


def parse_region(value: str) -> str:
    if re.fullmatch(r"[a-z]{2,}(-[a-z]+)+-\d+", value):
        return value
    raise InvalidValue("a region looks like us-east-1 or eu-central-1")


def parse_aws_endpoint(value: str) -> str:
    # Here, and not above: runs without an endpoint need not import it.
    from kecs_server.settings import is_aws_endpoint

    url = value.rstrip("/")
    if is_aws_endpoint(url):
        return url
    raise InvalidValue("it must be http://HOST:PORT (or https), or `aws` for AWS itself")


def parse_places(value: str) -> tuple[str, ...]:
    from kecs_server.settings import MOST_PLACES
    from kecs_server.settings import is_reachable

    places = tuple(value.split())
    if len(places) > MOST_PLACES:
        raise InvalidValue(f"it names {len(places)} places, the most are {MOST_PLACES}")
    for place in places:
        if not is_reachable(place):
            raise InvalidValue(f"{place!r} is not PORT or NAME:PORT, as 5432 or db.example:5432")
    return places


def parse_images(value: str) -> dict[str, str]:
    """Lines of `pattern = argv` as a mapping."""
    images: dict[str, str] = {}
    for line in filter(None, map(str.strip, value.splitlines())):
        pattern, equals, argv = (part.strip() for part in line.partition("="))
        if not (pattern and equals and argv):
            raise InvalidValue(
                f"the line {line!r} is not `pattern = command`, as in "
                "`*/worker:* = {python} -m myapp.worker`"
            )
        images[pattern] = argv
    return images


def _parse_switch(value: str) -> bool:
    lowered = value.lower()
    if lowered in ("1", "true", "yes", "on"):
        return True
    if lowered in ("0", "false", "no", "off", ""):
        return False
    raise InvalidValue("allowed are true and false")


def _parse_seconds(value: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = -1.0
    if 0 < seconds < float("inf"):
        return seconds
    raise InvalidValue("it must be a number of seconds above 0")


def _parse_count(value: str) -> int:
    if value.isascii() and value.isdigit():
        return int(value)
    raise InvalidValue("it must be a whole number, 0 or more")


def _parse_text(value: str) -> str:
    if value and not re.search(r"\s", value):
        return value
    raise InvalidValue("it must not be empty or contain blanks")


def _parse_path(value: str) -> str:
    if not value:
        raise InvalidValue("it must name a file")
    return os.path.abspath(os.path.expanduser(value))


def _parse_folder(value: str) -> str:
    if not value or "\0" in value:
        raise InvalidValue("it must name a folder")
    return os.path.expanduser(value)


def _parse_artifacts_mode(value: str) -> str:
    return choice(value, ARTIFACTS_MODES)


def _parse_namespace(value: str) -> str:
    if re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", value):
        return value
    raise InvalidValue("a namespace has up to 63 lower-case letters, digits and inner hyphens")


def _parse_export(value: str) -> str:
    return choice(value, ("early", "marked"))


TABLE: tuple[Setting, ...] = (
    Setting(
        name="engine",
        metavar="ENGINE",
        default="process",
        default_text="process",
        parse=parse_engine,
        help="What runs the containers: process (programs of this machine), kind (Pods on a kind "
        "cluster made for the run), kubernetes (Pods on a cluster of yours), or auto (kind when "
        "it can, else process)",
    ),
    Setting(
        name="region",
        metavar="REGION",
        default="us-east-1",
        default_text="us-east-1",
        parse=parse_region,
        help="AWS region that clients and ARNs have",
    ),
    Setting(
        name="keep_cluster",
        default=False,
        default_text="off",
        parse=_parse_switch,
        help="Keep the environment after the run, with the tasks of failed tests; the next run "
        "with this option joins it",
    ),
    Setting(
        name="keep_for",
        metavar="SECONDS",
        default=3600.0,
        default_text="3600",
        parse=_parse_seconds,
        help="How long a kept environment lives after the run that used it last",
    ),
    Setting(
        name="kind_image",
        metavar="IMAGE",
        default=None,
        default_text="kind's own",
        parse=_parse_text,
        help="Node image of the kind cluster",
    ),
    Setting(
        name="kubeconfig",
        metavar="FILE",
        default=None,
        default_text="KUBECONFIG or ~/.kube/config",
        parse=_parse_path,
        help="Kubeconfig of the cluster that the engine kubernetes uses",
    ),
    Setting(
        name="context",
        metavar="NAME",
        default=None,
        default_text="the kubeconfig's current one",
        parse=_parse_text,
        help="Context in the kubeconfig",
    ),
    Setting(
        name="namespace",
        metavar="NAME",
        default=None,
        default_text="one made for the run",
        parse=_parse_namespace,
        help="An existing namespace to put Pods in, where creating one is not allowed",
    ),
    Setting(
        name="aws_endpoint",
        metavar="URL",
        default=None,
        default_text="none",
        parse=parse_aws_endpoint,
        help="What has the rest of AWS: moto's server, LocalStack and the like, or `aws` for AWS "
        "itself. Secrets and environment files come from there; awslogs and events go there",
    ),
    Setting(
        name="tls",
        default=False,
        default_text="off",
        parse=_parse_switch,
        help="AWS clients are led to https, with a certificate made for the run and its authority "
        "as AWS_CA_BUNDLE; needs `pytest-kecs[tls]`",
    ),
    Setting(
        name="strict_time",
        default=False,
        default_text="off",
        parse=_parse_switch,
        help="Refuse requests whose signature's date is not now, as AWS does; off for tests that "
        "freeze time",
    ),
    Setting(
        name="pid1",
        default=False,
        default_text="off",
        parse=_parse_switch,
        help="A process without a handler for SIGTERM ignores it, as a container's first process "
        "does on ECS, and is killed after stopTimeout; off: it dies of it at once",
    ),
    Setting(
        name="netns",
        default=False,
        default_text="off",
        parse=_parse_switch,
        help="Each task of the process engine has a network, and so a localhost, of its own, in "
        "all network modes but host; needs a Linux that lets the user make network namespaces",
    ),
    Setting(
        name="netns_reach",
        metavar="PLACES",
        default=(),
        default_text="none",
        parse=parse_places,
        help="What tasks with networks of their own reach outside: PORT of this machine, which is "
        "`host.kecs.internal` there, or NAME:PORT, with blanks between",
    ),
    Setting(
        name="cgroup",
        metavar="DIRECTORY",
        default=None,
        default_text="none",
        parse=_parse_path,
        help="A cgroup of Linux, as a directory, that is for the run to divide: there the kernel "
        "enforces the limits of memory of the process engine's tasks; without, they are watched",
    ),
    Setting(
        name="startup_timeout",
        metavar="SECONDS",
        default=300.0,
        default_text="300",
        parse=_parse_seconds,
        help="How long an engine may take to become ready",
    ),
    Setting(
        name="log_lines",
        metavar="N",
        default=20,
        default_text="20",
        parse=_parse_count,
        help="Log lines of each container in the report of a failed test",
    ),
    Setting(
        name="artifacts",
        metavar="DIR",
        default=None,
        default_text="none",
        parse=_parse_folder,
        help="Folder that gets a recording of each test: calls and changes as JSON lines, logs, "
        "task definitions, and a page that shows them",
    ),
    Setting(
        name="artifacts_mode",
        metavar="MODE",
        default="retain-on-failure",
        default_text="retain-on-failure",
        parse=_parse_artifacts_mode,
        help="Which tests are recorded there: on (all), retain-on-failure (those that failed), off",
    ),
    Setting(
        name="images",
        metavar="LINES",
        default={},
        default_text="none",
        parse=parse_images,
        on_command_line=False,
        lines=True,
        help="What an image stands for on the process engine, one `pattern = command` a line",
    ),
    Setting(
        name="env",
        metavar="WHEN",
        default="early",
        default_text="early",
        parse=_parse_export,
        on_command_line=False,
        help="When AWS_* variables are set: early (from before the conftests load; put back for "
        "tests that do not use ECS), or marked (only around the tests that use ECS)",
    ),
)

assert {row.name for row in TABLE} == {f.name for f in fields(Settings)} - {"sources"}


def reference_markdown() -> str:
    """The table of settings for the README."""
    lines = [
        "| option | ini key | environment variable | default | meaning |",
        "|---|---|---|---|---|",
    ]
    for row in TABLE:
        flag = row.flag if row.metavar is None else f"{row.flag}={row.metavar}"
        option = f"`{flag}`" if row.on_command_line else "-"
        lines.append(
            f"| {option} | `{row.ini}` | `{row.variable}` | {row.default_text} | {row.help} |"
        )
    return "\n".join(lines) + "\n"
