"""The page on which a recording is looked at: one HTML text with everything in it.

What it shows is inert: its scripts put texts into the document as texts, the data is JSON that no
parser of HTML takes for anything else, and a content security policy lets nothing run or load but
the script and the style that are in this folder.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parent
_SCRIPTS = ("model.js", "list.js", "timeline.js", "details.js", "live.js", "main.js")
_PLACE = re.compile(r"\{\{(policy|title|style|data|script)\}\}")
# No parser of HTML sees a tag, an entity or a comment in what is left.
_UNSEEN = {ord(char): f"\\u{ord(char):04x}" for char in "<>&"}


def render(data: Mapping[str, Any], title: str, *, live: bool = False) -> str:
    """The page with `data` in it; `live` lets it ask the server that it comes from for more."""
    style, script = _parts()
    texts = {
        "policy": escape(policy(live=live)),
        "title": escape(title),
        "style": style,
        "data": json.dumps(data, separators=(",", ":")).translate(_UNSEEN),
        "script": script,
    }
    return _PLACE.sub(lambda found: texts[found[1]], _read("page.html"))


def policy(*, live: bool) -> str:
    """The content security policy, which a server may send as well."""
    style, script = _parts()
    rules = [
        "default-src 'none'",
        f"style-src '{_digest(style)}'",
        f"script-src '{_digest(script)}'",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    return "; ".join([*rules, "connect-src 'self'"] if live else rules)


@cache
def _parts() -> tuple[str, str]:
    return _read("page.css"), "\n".join(_read(name) for name in _SCRIPTS)


def _read(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
