"""`kecs report` and `kecs ui`: the pages of recordings, and of an environment that runs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from pytest_kecs import recording_files
from pytest_kecs import registry
from pytest_kecs.admin import AdminClient
from pytest_kecs.cli_environments import cli_credentials
from pytest_kecs.errors import InvalidSetting
from pytest_kecs.errors import KecsError

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_STYLE = """
:root { color-scheme: light dark; }
body { font: 14px/1.5 system-ui, sans-serif; max-width: 70em; margin: 2em auto; padding: 0 1em; }
td, th { text-align: left; padding: .2em 1em .2em 0; overflow-wrap: anywhere; vertical-align: top; }
.failed, .error { color: #c92a39; font-weight: 600; }
@media (prefers-color-scheme: dark) { .failed, .error { color: #ff858f; } }
"""


def report(given: argparse.Namespace) -> int:
    """Make the pages of a folder of recordings anew, and open what there is to look at."""
    root = Path(given.folder)
    if not root.is_dir():
        raise InvalidSetting(f"there is no folder {given.folder}")
    folders = recording_files.find(root)
    if not folders:
        raise KecsError(f"{root} has no recordings; --kecs-artifacts={root} makes them")
    tests, problems = _write_pages(folders)
    first = folders[0] / recording_files.PAGE
    if folders != [root]:
        first = root / recording_files.PAGE
        try:
            first.write_text(_index(tests), encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            problems.append(f"{first}: {error.strerror}")
    for problem in problems:
        print(f"kecs: {problem}", file=sys.stderr)
    if first.exists():
        print(first.resolve())
        _open(first.resolve().as_uri(), wanted=given.open)
    return 1 if problems else 0


def _write_pages(folders: Sequence[Path]) -> tuple[list[tuple[str, dict[str, Any]]], list[str]]:
    tests, problems = [], []
    for folder in folders:
        try:
            tests.append((folder.name, recording_files.write_page(folder)))
        except recording_files.NoRecording as error:
            problems.append(str(error))
        except OSError as error:
            # The page that is there may still be good.
            problems.append(f"{error.filename or folder}: {error.strerror}")
            tests.append((folder.name, recording_files.load(folder).test))
    return tests, problems


def _index(tests: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    rows = [
        _row(name, test) for name, test in sorted(tests, key=lambda each: str(each[1]["nodeid"]))
    ]
    head = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(_POLICY)}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Recordings - pytest-kecs</title><style>{_STYLE}</style></head><body>"
        f"<h1>Recordings of {len(rows)} tests</h1><table><thead><tr><th>outcome</th><th>test</th>"
        "<th>message</th></tr></thead><tbody>\n"
    )
    return head + "\n".join(rows) + "\n</tbody></table></body></html>\n"


def _row(folder: str, test: Mapping[str, Any]) -> str:
    outcome, nodeid = escape(str(test["outcome"])), escape(str(test["nodeid"]))
    message = escape(str(test.get("message") or "").partition("\n")[0])
    link = f'<a href="{escape(folder)}/{recording_files.PAGE}">{nodeid}</a>'
    return f'<tr><td class="{outcome}">{outcome}</td><td>{link}</td><td>{message}</td></tr>'


def ui(given: argparse.Namespace) -> int:
    """Print an address at which a browser sees a running environment."""
    record = registry.read(given.name)
    with AdminClient(record.endpoint, cli_credentials(record)) as admin:
        url = admin.viewer_url()
    print(url)
    _open(url, wanted=given.open)
    return 0


def _open(url: str, *, wanted: bool) -> None:
    if not wanted:
        return
    import webbrowser

    if not webbrowser.open(url):
        print("kecs: there is no browser to open it with", file=sys.stderr)
