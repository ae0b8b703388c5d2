"""JSON and JSON lines: records as rows with their keys, nested parts under headings, scalars as `key: value`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, BinaryIO

from anchorage.adapters.parsers.builder import DocumentBuilder, clean_text, fold_space
from anchorage.adapters.parsers.task import Task
from anchorage.adapters.parsers.text.encoding import decode_text
from anchorage.errors import DocumentRefused
from anchorage.model import BlockKind, ParsedDocument

_LONG = 300  # characters of a text that reads as a paragraph, not as a field
_ROW = 4_000  # characters of a record that is still one row


def parse(file: BinaryIO, name: str, task: Task) -> ParsedDocument:
    """Raises `DocumentRefused`."""
    text = clean_text(decode_text(file.read(), name))
    builder = DocumentBuilder(task.limit)
    _add_value(load_json(text, name), "", builder, 0)
    return builder.finish(name, name.rsplit(".", 1)[0])


def load_json(text: str, name: str) -> Any:
    """The value, numbers as they are written; a list where each line is a value. Raises `DocumentRefused`."""
    try:
        return json.loads(text, parse_int=str, parse_float=str)
    except ValueError as error:
        try:
            return [json.loads(line, parse_int=str, parse_float=str) for line in text.splitlines() if line.strip()]
        except ValueError:
            raise DocumentRefused("corrupt", f"{name} is not valid JSON: {error}. Save it again.") from error


def _add_value(value: Any, key: str, builder: DocumentBuilder, depth: int) -> None:
    if isinstance(value, dict):
        _add_object(value, builder, depth)
    elif isinstance(value, list):
        if value and all(not isinstance(item, dict | list) for item in value):
            builder.add(BlockKind.PARAGRAPH, _format_field(key, ", ".join(map(_format_scalar, value))))
            return
        for item in value:
            row = " | ".join(
                _format_field(name, fold_space(_format_scalar(leaf)))
                for name, leaf in _list_leaves(item, "")
                if _format_scalar(leaf).strip()
            )
            if len(row) <= _ROW:
                builder.add(BlockKind.TABLE_ROW, row)
            else:
                _add_value(item, key, builder, depth)
    else:
        builder.add(BlockKind.PARAGRAPH, _format_field(key, _format_scalar(value)))


def _add_object(value: dict[str, Any], builder: DocumentBuilder, depth: int) -> None:
    """Fields that follow one another gather in one block; long texts and nested values get their own."""
    lines: list[str] = []

    def flush() -> None:
        builder.add(BlockKind.PARAGRAPH, "\n".join(lines))
        lines.clear()

    for key, item in value.items():
        if isinstance(item, dict | list) and item:
            flush()
            flat = isinstance(item, list) and all(not isinstance(one, dict | list) for one in item)
            if not flat:
                builder.add(BlockKind.HEADING, fold_space(key), min(6, depth + 1))
            _add_value(item, key, builder, depth + 1)
        elif len(text := _format_scalar(item)) > _LONG or "\n" in text:
            flush()
            builder.add(BlockKind.PARAGRAPH, _format_field(key, text))
        elif text.strip():
            lines.append(_format_field(key, text))
    flush()


def _list_leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _list_leaves(item, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for item in value:
            yield from _list_leaves(item, path)
    else:
        yield path, value


def _format_field(key: str, text: str) -> str:
    return f"{fold_space(key)}: {text}" if key else text


def _format_scalar(value: Any) -> str:
    if value is None or isinstance(value, dict | list):
        return ""
    return clean_text(str(value).lower() if isinstance(value, bool) else str(value))
