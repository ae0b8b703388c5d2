"""Makes the chart's README.md and values.schema.json from the comments of values.yaml.

usage: chart_docs.py [--check]      with --check nothing is written, and what is out of step is named

`# --` before a key tells its meaning, `# @schema {...}` adds to what its default tells of its type. Objects are closed: a key that
values.yaml does not have is refused.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).parents[1] / "chart"
TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
TEXTS = {"type": "object", "additionalProperties": {"type": ["string", "number"]}}
DEFINITIONS = {
    "resources": {
        "type": "object",
        "additionalProperties": False,
        "properties": {"requests": TEXTS, "limits": TEXTS, "claims": {"type": "array"}},
    },
    "placement": {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "priorityClassName": {"type": "string"},
            "nodeSelector": {"type": "object", "additionalProperties": {"type": "string"}},
            "tolerations": {"type": "array", "items": {"type": "object"}},
            "affinity": {"type": "object"},
        },
    },
}
MOVED = {"api": ["preStopSleep"]}  # refused by a template, which says where they are now
GLOBAL = {"type": "object", "description": "What Helm passes to charts within charts; unused."}


@dataclass
class Value:
    """One key of values.yaml."""

    path: str
    default: Any
    meaning: str
    extra: dict[str, Any]
    children: dict[str, Value] = field(default_factory=dict)


def values(text: str) -> dict[str, Value]:
    """The tree of a commented YAML mapping."""
    return _children(yaml.compose(text), text.splitlines(), "")


def _children(node: yaml.MappingNode, lines: list[str], prefix: str) -> dict[str, Value]:
    found = {}
    for key, child in node.value:
        path = f"{prefix}{key.value}"
        meaning, extra = _comment(lines, key.start_mark.line, key.start_mark.column)
        default = yaml.safe_load(yaml.serialize(child))
        open_end = {"$ref", "additionalProperties"} & set(extra)
        nested = isinstance(child, yaml.MappingNode) and child.value and not open_end
        found[key.value] = Value(path, default, meaning, extra, _children(child, lines, path + ".") if nested else {})
    return found


def _comment(lines: list[str], line: int, column: int) -> tuple[str, dict[str, Any]]:
    meaning: list[str] = []
    extra: dict[str, Any] = {}
    if lines[line][:column].strip():  # a key within a line has no comment of its own
        return "", extra
    for text in reversed(lines[:line]):
        if not (found := re.fullmatch(rf" {{{column}}}# ?(-- |@schema )?(.*)", text)):
            break
        kind, said = found.groups()
        if kind == "@schema ":
            extra = json.loads(said)
        elif kind:
            return said, extra
        else:
            meaning.insert(0, said)
    return "", extra


def schema(value: Value) -> dict[str, Any]:
    """The JSON schema of one value."""
    if "$ref" in value.extra:
        made: dict[str, Any] = {"$ref": f"#/definitions/{value.extra['$ref']}"}
        return {"description": value.meaning, **made} if value.meaning else made
    made = {"description": value.meaning} if value.meaning else {}
    if value.default is not None:
        made["type"] = TYPES[type(value.default)]
    if value.children:
        made["additionalProperties"] = False
        made["properties"] = {name: schema(child) for name, child in value.children.items()}
        made["properties"].update({name: {} for name in MOVED.get(value.path, ())})
    made.update(value.extra)
    return made


def rendered_schema(tree: dict[str, Value]) -> str:
    """values.schema.json."""
    properties = {name: schema(value) for name, value in tree.items()}
    document = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "additionalProperties": False,
        "properties": {"global": GLOBAL, **properties},
        "definitions": DEFINITIONS,
    }
    return json.dumps(document, indent=1) + "\n"


def _leaves(tree: dict[str, Value]) -> Iterator[Value]:
    for value in tree.values():
        if value.children and any(child.meaning or child.children or child.extra for child in value.children.values()):
            if value.meaning:
                yield value
            yield from _leaves(value.children)
        else:
            yield value


def rendered_readme(tree: dict[str, Value], before: str) -> str:
    """README.md: what is written by hand, then the table."""
    rows = ["| value | default | meaning |", "| --- | --- | --- |"]
    for value in _leaves(tree):
        shown = "" if value.children and not _flat(value) else f"`{json.dumps(value.default)}`"
        choice = value.extra.get("enum")
        said = value.meaning + (f" One of {', '.join(f'`{item}`' for item in choice)}." if choice else "")
        rows.append(f"| `{value.path}` | {shown} | {said.strip().replace('|', '&#124;')} |")
    head = before.split("## Values\n")[0]
    return f"{head}## Values\n\n" + "\n".join(rows) + "\n"


def _flat(value: Value) -> bool:
    return not any(child.meaning or child.children or child.extra for child in value.children.values())


def main() -> int:
    tree = values((CHART / "values.yaml").read_text("utf-8"))
    readme = CHART / "README.md"
    wanted = {
        CHART / "values.schema.json": rendered_schema(tree),
        readme: rendered_readme(tree, readme.read_text("utf-8")),
    }
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text("utf-8") != text]
    if "--check" in sys.argv[1:]:
        for path in stale:
            print(
                f"{path.name} is out of step with values.yaml: run python deploy/scripts/chart_docs.py", file=sys.stderr
            )
        return 1 if stale else 0
    for path in stale:
        path.write_text(wanted[path], "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
