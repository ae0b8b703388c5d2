"""Jupyter notebooks: Markdown cells as Markdown, code cells and what they printed as code."""

from __future__ import annotations

from io import BytesIO
from typing import Any, BinaryIO

from anchorage.adapters.parsers.builder import DocumentBuilder, clean_text
from anchorage.adapters.parsers.task import Task
from anchorage.adapters.parsers.text import markdown
from anchorage.adapters.parsers.text.encoding import decode_text
from anchorage.adapters.parsers.text.json import load_json
from anchorage.errors import DocumentRefused
from anchorage.model import BlockKind, ParsedDocument


def parse(file: BinaryIO, name: str, task: Task) -> ParsedDocument:
    """Raises `DocumentRefused`."""
    notebook = load_json(decode_text(file.read(), name), name)
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list):
        raise DocumentRefused("corrupt", f"{name} is not a notebook that can be read: it has no cells. Save it again.")
    builder = DocumentBuilder(task.limit)
    for cell in cells:
        source = _join_lines(cell.get("source"))
        if not source.strip():
            continue
        if cell.get("cell_type") == "markdown":
            builder.append(markdown.parse(BytesIO(source.encode("utf-8", "replace")), name, task), 0)
        else:
            builder.add(BlockKind.CODE, clean_text(source))
            for output in cell.get("outputs") or ():
                shown = output.get("text") or (output.get("data") or {}).get("text/plain")
                builder.add(BlockKind.CODE, clean_text(_join_lines(shown)))
    return builder.finish(name)


def _join_lines(text: Any) -> str:
    return "".join(map(str, text)) if isinstance(text, list) else str(text or "")
