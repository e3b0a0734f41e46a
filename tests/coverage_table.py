"""docs/api-coverage.md, made from the model and from what the server says of its parameters."""

from __future__ import annotations

from collections.abc import Iterable

from kecs_server.operations.effects import REFUSED
from kecs_server.operations.effects import STORED
from kecs_server.operations.table import FAMILIES
from kecs_server.operations.table import all_operations
from kecs_server.protocol.model import operation_model
from kecs_server.protocol.model import operation_names
from probes.cases import number_of_probes

TEXT = """\
# What there is of the API

`make tables` makes this page; tests compare it with botocore's model and with what the operations
read of {probes},000 requests that are made from the model: each member at its limits, with every
value of its enum and one off, missing, of wrong types, too long, as a reference to what is not
there or somebody else's. Each is answered as the model's shapes say or refused with an error of
the operation's; none fails inside, and what is refused changes nothing.

*Used* parameters have the effect that they have on ECS, or are refused as by ECS. *Refused* ones
are answered with HTTP 501. *Stored* ones are accepted, kept and given back; the README says why
they do nothing. Those in parentheses do nothing on the engine that is named, and are used on the
other.

"""


def markdown() -> str:
    there, known = all_operations().operations(), operation_names()
    text = TEXT.format(probes=number_of_probes() // 1000)
    parts = [f"{text}{len(there)} of the {len(known)} operations of ECS are there.\n"]
    for family, modules in FAMILIES.items():
        parts.append(f"## {family}\n")
        parts.append("| operation | used | refused | stored |\n|---|---|---|---|")
        names = sorted(name for module in modules for name in module.registry.operations())
        parts += [_row(name) for name in names]
        parts.append("")
    parts.append("## Inside of parameters\n")
    parts.append("What is not used of the structures in parameters:\n")
    parts.append("| structure | refused | stored |\n|---|---|---|")
    shapes = sorted({row.where for row in (*STORED, *REFUSED)} - set(known))
    parts += [f"| {shape} | {_names(_refused(shape))} | {_stored(shape)} |" for shape in shapes]
    lacking = _names(sorted(known - set(there)))
    parts.append(f"\n## Not there\n\n{lacking or 'Nothing'}.\n")
    return "\n".join(parts)


def _row(operation: str) -> str:
    shape = operation_model(operation).input_shape
    rows = [row for row in STORED if row.where == operation and not row.engine]
    elsewhere = {member for row in rows for member in row.members} | set(_refused(operation))
    used = [member for member in (shape.members if shape else ()) if member not in elsewhere]
    return (
        f"| {operation} | {_names(used)} | {_names(_refused(operation))} | {_stored(operation)} |"
    )


def _refused(where: str) -> list[str]:
    return sorted({member for row in REFUSED if row.where == where for member in row.members})


def _names(members: Iterable[str]) -> str:
    return ", ".join(f"`{member}`" for member in members)


def _stored(where: str) -> str:
    rows = sorted(
        (member, row.engine) for row in STORED if row.where == where for member in row.members
    )
    return ", ".join(f"`{m}` ({engine})" if engine else f"`{m}`" for m, engine in rows)
