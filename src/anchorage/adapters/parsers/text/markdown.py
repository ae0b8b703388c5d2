"""Markdown (CommonMark with tables): the text as it reads, without its marks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import BinaryIO

from markdown_it import MarkdownIt
from markdown_it.token import Token

from anchorage.adapters.parsers.builder import DocumentBuilder, clean_text, fold_space
from anchorage.adapters.parsers.task import Task
from anchorage.adapters.parsers.text.encoding import decode_text
from anchorage.model import BlockKind, ParsedDocument

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*\n", re.DOTALL)
_FRONT_TITLE = re.compile(r"^title[ \t]*:[ \t]*(.+)$", re.MULTILINE | re.IGNORECASE)
_TAG = re.compile(r"<!--.*?-->|<[^>]*>", re.DOTALL)


def parse(file: BinaryIO, name: str, task: Task) -> ParsedDocument:
    """Raises `DocumentRefused`."""
    text = clean_text(decode_text(file.read(), name))
    title = ""
    if front := _FRONT_MATTER.match(text):
        text = text[front.end() :]
        if found := _FRONT_TITLE.search(front.group(1)):
            title = found.group(1).strip().strip("\"'")
    builder = DocumentBuilder(task.limit)
    _add_tokens(MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text), builder)
    return builder.finish(name, title)


def _add_tokens(tokens: Sequence[Token], builder: DocumentBuilder) -> None:
    kind, level, cells = BlockKind.PARAGRAPH, 0, list[str]()
    depth = 0  # of lists
    for token in tokens:
        match token.type:
            case "heading_open":
                kind, level = BlockKind.HEADING, int(token.tag[1:])
            case "bullet_list_open" | "ordered_list_open":
                depth += 1
            case "bullet_list_close" | "ordered_list_close":
                depth -= 1
            case "paragraph_open":
                kind, level = BlockKind.LIST_ITEM if depth else BlockKind.PARAGRAPH, 0
            case "tr_open":
                cells = []
            case "td_open" | "th_open":
                kind, level = BlockKind.TABLE_ROW, 0
            case "tr_close":
                builder.add(BlockKind.TABLE_ROW, " | ".join(cells))
            case "inline":
                plain = _read_inline(token.children or ())
                if kind is BlockKind.TABLE_ROW:
                    cells.append(fold_space(plain))
                else:
                    builder.add(kind, plain, level)
            case "fence" | "code_block":
                builder.add(BlockKind.CODE, token.content)
            case "html_block":
                builder.add(BlockKind.PARAGRAPH, _TAG.sub(" ", token.content))


def _read_inline(tokens: Sequence[Token]) -> str:
    parts = []
    for token in tokens:
        if token.type in ("text", "code_inline"):
            parts.append(token.content)
        elif token.type in ("softbreak", "hardbreak"):
            parts.append("\n")
        elif token.type == "image":
            parts.append(token.content)
    return "".join(parts)
