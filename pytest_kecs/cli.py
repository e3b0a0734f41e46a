"""The command `kecs`: environments without pytest.

Only what the arguments need is imported here; each command imports the rest when it is run, so
that `kecs --help` is quick.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from kecs_server.settings import DEFAULT_REGION

from pytest_kecs import cli_values
from pytest_kecs.errors import InvalidSetting
from pytest_kecs.errors import KecsError

_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status (2: wrong arguments, 1: it failed)."""
    if sys.platform == "win32":
        return _complain(
            "environments run on Linux and macOS only; on Windows, point AWS_ENDPOINT_URL_ECS and"
            " the keys at an environment on another machine (or under WSL)",
            status=1,
        )
    given = _parser().parse_args(arguments)
    try:
        status = int(given.run(given))
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        # Who read our output (`| head`) has gone; Python's own flush at exit must not complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except InvalidSetting as error:
        return _complain(str(error), status=2)
    except KecsError as error:
        return _complain(str(error), status=1)
    except KeyboardInterrupt:
        return _INTERRUPTED


def _complain(text: str, *, status: int) -> int:
    print(f"kecs: error: {text}", file=sys.stderr)
    return status


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the usage in front of it."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message} (see `{self.prog} --help`)\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="kecs",
        description="Amazon ECS environments whose tasks really run, on this machine or on"
        " Kubernetes.",
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_serve(commands)
    _add_run(commands)
    _add_list(commands)
    _add_env(commands)
    _add_stop(commands)
    _add_prune(commands)
    _add_reset(commands)
    _add_logs(commands)
    _add_events(commands)
    _add_report(commands)
    _add_ui(commands)
    _add_conformance(commands)
    return parser


def _add_serve(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = commands.add_parser(
        "serve",
        help="run an environment until Ctrl-C or SIGTERM",
        description="Run an environment in the foreground. Ctrl-C or SIGTERM ends it, with its"
        " tasks and its cluster.",
    )
    _add_environment_options(parser)
    parser.add_argument(
        "--port",
        type=cli_values.port,
        default=0,
        metavar="N",
        help="listen on this port of 127.0.0.1 (default: any free one)",
    )
    parser.add_argument(
        "--write-env",
        metavar="FILE",
        help="write the variables to FILE (KEY=VALUE lines, readable by you alone) when the"
        " environment is ready; FILE is removed at the end",
    )
    parser.set_defaults(run=_serve)


def _add_run(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = commands.add_parser(
        "run",
        usage="kecs run [options] -- CMD ...",
        help="run a command with an environment of its own",
        description="Run CMD with AWS_* set to a new environment, and end the environment with it."
        " The exit status is CMD's; 128+N when signal N ended it.",
    )
    _add_environment_options(parser)
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="CMD", help=argparse.SUPPRESS)
    parser.set_defaults(run=_run)


def _add_environment_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--engine",
        type=cli_values.engine,
        default="process",
        metavar="ENGINE",
        help="what runs containers: process (programs of this machine; the default), kind (Pods on"
        " a kind cluster made for this), kubernetes (Pods on a cluster of yours), or auto (kind"
        " when it can, else process)",
    )
    parser.add_argument(
        "--region",
        type=cli_values.region,
        default=DEFAULT_REGION,
        help=f"AWS region (default: {DEFAULT_REGION})",
    )
    parser.add_argument(
        "--image",
        action="append",
        type=cli_values.image,
        default=[],
        metavar="PATTERN=ARGV",
        help="what images that match PATTERN run when a definition gives no command, as in"
        " --image 'worker:*={python} -m worker' (may be given several times)",
    )
    parser.add_argument(
        "--tls",
        action="store_true",
        help="lead clients to https, with a certificate made for the environment",
    )
    parser.add_argument(
        "--aws-endpoint",
        type=cli_values.aws_endpoint,
        metavar="URL",
        help="what has the rest of AWS (moto's server, LocalStack, ...), or `aws` for AWS itself:"
        " secrets, environment files, awslogs and events go there",
    )
    parser.add_argument("--kubeconfig", metavar="FILE", help="of the cluster (engine kubernetes)")
    parser.add_argument("--context", metavar="NAME", help="context in the kubeconfig")
    parser.add_argument("--namespace", metavar="NAME", help="an existing namespace to use")
    parser.add_argument("--kind-image", metavar="IMAGE", help="node image (engine kind)")


def _add_list(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = commands.add_parser("list", help="list your environments on this machine")
    _add_json(parser)
    parser.set_defaults(run=_list)


def _add_env(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = commands.add_parser(
        "env",
        help="print an environment's variables for a shell",
        description='Print lines for a shell: eval "$(kecs env NAME)".',
    )
    parser.add_argument("name", metavar="NAME", help="as `kecs list` shows it")
    parser.add_argument(
        "--test", metavar="NODEID", help="see what this test saw, which was kept with its tasks"
    )
    _add_json(parser)
    parser.set_defaults(run=_env)


def _add_stop(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = commands.add_parser("stop", help="end an environment, its tasks and its cluster")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("name", nargs="?", metavar="NAME", help="as `kecs list` shows it")
    which.add_argument("--all", action="store_true", help="end all of your environments")
    _add_json(parser)
    parser.set_defaults(run=_stop)


def _add_prune(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = commands.add_parser(
        "prune", help="remove what environments that were killed have left behind"
    )
    parser.add_argument(
        "--kubeconfig", metavar="FILE", help="look in this cluster as well, for expired leases"
    )
    parser.add_argument("--context", metavar="NAME", help="context in the kubeconfig")
    _add_json(parser)
    parser.set_defaults(run=_prune)


def _add_reset(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = commands.add_parser(
        "reset",
        help="empty the account that the AWS_* variables name, running tasks included",
    )
    _add_json(parser)
    parser.set_defaults(run=_reset)


def _add_logs(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = commands.add_parser(
        "logs",
        help="print what the containers of a task wrote, and follow it",
        description="Print what the containers of a task wrote, in the account that the AWS_*"
        " variables name. Bytes that are no UTF-8 are replaced.",
    )
    parser.add_argument("task", metavar="TASK", help="ARN or id")
    parser.add_argument(
        "container", nargs="?", metavar="CONTAINER", help="only what this one wrote (default: all)"
    )
    parser.add_argument(
        "-f", "--follow", action="store_true", help="go on until the task has stopped, or CONTAINER"
    )
    parser.add_argument(
        "--since",
        type=cli_values.since,
        metavar="TIME",
        help="only what was written since then: 90s, 5m, 2h, or a time as in 2026-01-31T12:00:00Z",
    )
    parser.add_argument(
        "--tail", type=cli_values.count, metavar="N", help="only the last N lines of each container"
    )
    parser.add_argument("--stream", choices=("stdout", "stderr"), help="only this one")
    parser.add_argument(
        "--timestamps", action="store_true", help="begin each line with its time (UTC)"
    )
    parser.set_defaults(run=_logs)


def _add_events(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = commands.add_parser(
        "events",
        help="print what ECS sends to EventBridge, and follow it",
        description="Print the events of tasks, container instances, services and deployments, in"
        " the account that the AWS_* variables name, the oldest first.",
    )
    parser.add_argument(
        "resource",
        nargs="?",
        metavar="RESOURCE",
        help="only those of this task, service or container instance: ARN, name or id",
    )
    parser.add_argument(
        "-f", "--follow", action="store_true", help="go on until the environment has ended"
    )
    parser.add_argument(
        "--type", type=cli_values.detail_type, metavar="TYPE", help="only those of this detail type"
    )
    _add_json(parser)
    parser.set_defaults(run=_events)


def _add_report(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = commands.add_parser(
        "report",
        help="make the pages of recorded tests anew, with one that lists them",
        description="Make the pages of the recordings in DIR anew, from the files beside them, and"
        " print the address of the one that leads to all.",
    )
    parser.add_argument(
        "folder", metavar="DIR", help="as --kecs-artifacts had it, or the folder of one test in it"
    )
    parser.add_argument("--open", action="store_true", help="open it in a browser")
    parser.set_defaults(run=_report)


def _add_ui(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = commands.add_parser(
        "ui",
        help="print an address at which a browser sees what happens in an environment",
        description="Print an address at which one browser sees what happens in an environment, as"
        " it happens. It is good once.",
    )
    parser.add_argument("name", metavar="NAME", help="as `kecs list` shows it")
    parser.add_argument("--open", action="store_true", help="open it in a browser")
    parser.set_defaults(run=_ui)


def _add_conformance(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = commands.add_parser(
        "conformance",
        help="check how much of ECS a server keeps",
        description="Check a server of the ECS API, with the AWS credentials of the caller, under"
        " names that nobody else has; all is removed at the end. The exit status is 1 when a check"
        " failed, 2 when none could be run.",
    )
    parser.add_argument("--endpoint", required=True, metavar="URL", help="of the server")
    parser.add_argument(
        "--family", nargs="+", default=[], metavar="NAME", help="only these (default: all)"
    )
    parser.add_argument("--json", metavar="FILE", help="write each check and what came to FILE")
    parser.add_argument(
        "--region",
        type=cli_values.region,
        default=DEFAULT_REGION,
        help=f"AWS region (default: {DEFAULT_REGION})",
    )
    parser.add_argument(
        "--subnet",
        default="subnet-12345678",
        metavar="ID",
        help="where tasks run (default: subnet-12345678, for servers that take any)",
    )
    parser.add_argument(
        "--security-group", metavar="ID", help="of tasks (default: the subnet's own)"
    )
    parser.add_argument(
        "--without-tasks", action="store_true", help="skip what needs tasks that run"
    )
    parser.add_argument(
        "--wait",
        type=cli_values.seconds,
        default=180.0,
        metavar="SECONDS",
        help="how long a check waits for a state, and the removal for what is in its way"
        " (default: 180)",
    )
    parser.add_argument(
        "--allow-aws", metavar="ACCOUNT", help="the endpoint may be AWS, with this account"
    )
    parser.set_defaults(run=_conformance)


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")


def _serve(given: argparse.Namespace) -> int:
    from pytest_kecs.cli_serve import serve

    return serve(given)


def _run(given: argparse.Namespace) -> int:
    from pytest_kecs.cli_serve import run

    return run(given)


def _list(given: argparse.Namespace) -> int:
    from pytest_kecs.cli_environments import list_environments

    return list_environments(as_json=given.json)


def _env(given: argparse.Namespace) -> int:
    from pytest_kecs.cli_environments import print_variables

    return print_variables(given.name, test=given.test, as_json=given.json)


def _stop(given: argparse.Namespace) -> int:
    from pytest_kecs.cli_environments import stop

    return stop(given.name, as_json=given.json)


def _prune(given: argparse.Namespace) -> int:
    from pytest_kecs.cli_environments import prune

    return prune(given.kubeconfig, given.context, as_json=given.json)


def _reset(given: argparse.Namespace) -> int:
    from pytest_kecs.cli_environments import reset

    return reset(as_json=given.json)


def _logs(given: argparse.Namespace) -> int:
    from pytest_kecs.cli_logs import show

    return show(given)


def _events(given: argparse.Namespace) -> int:
    from pytest_kecs.cli_events import show

    return show(given)


def _report(given: argparse.Namespace) -> int:
    from pytest_kecs.cli_report import report

    return report(given)


def _ui(given: argparse.Namespace) -> int:
    from pytest_kecs.cli_report import ui

    return ui(given)


def _conformance(given: argparse.Namespace) -> int:
    from pytest_kecs.cli_conformance import conformance

    return conformance(given)


if __name__ == "__main__":
    sys.exit(main())
