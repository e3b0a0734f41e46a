"""ECS names as Kubernetes names. ECS allows capitals, underscores and 255 characters in them;
Kubernetes wants DNS labels: lower case, digits and hyphens, 63 characters at most.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection
from collections.abc import Iterable

_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?")
_LIMIT = 63


def dns_label(name: str, *, limit: int = _LIMIT, salt: str = "") -> str:
    """`name` itself where it is a DNS label of at most `limit` characters, else what is readable
    of it with eight digits of its hash: `my_app` -> `my-app-d4f0b0e6`.
    """
    if not salt and len(name) <= limit and _DNS_LABEL.fullmatch(name):
        return name
    digest = hashlib.sha256((salt + name).encode()).hexdigest()[:8]
    readable = re.sub(r"[^a-z0-9]+", "-", name.lower())[: limit - 9].strip("-")
    return f"{readable}-{digest}" if readable else f"c-{digest}"


def dns_labels(names: Iterable[str]) -> dict[str, str]:
    """A DNS label for each name, no two alike. Names that are labels already stay as they are."""
    labels: dict[str, str] = {}
    taken: set[str] = set()
    for name in sorted(names, key=lambda name: (dns_label(name) != name, name)):
        labels[name] = free_label(name, taken)
        taken.add(labels[name])
    return labels


def free_label(name: str, taken: Collection[str]) -> str:
    """A DNS label for `name` that is not among those taken."""
    label, salt = dns_label(name), ""
    while label in taken:
        salt += "+"
        label = dns_label(name, salt=salt)
    return label


def is_label_value(text: str) -> bool:
    """Whether Kubernetes takes `text` as the value of a label."""
    return len(text) <= _LIMIT and _LABEL_VALUE.fullmatch(text) is not None


def label_key(text: str) -> str:
    """`text` as the name part of a label's or annotation's key."""
    return re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-")[:_LIMIT].strip("-") or "label"
