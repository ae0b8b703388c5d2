"""XML of any vocabulary: elements with their names; records as rows; running text as paragraphs."""

from __future__ import annotations

from typing import Any, BinaryIO

from lxml import etree

from anchorage.adapters.parsers.builder import DocumentBuilder, fold_space
from anchorage.adapters.parsers.task import Task
from anchorage.adapters.parsers.text.encoding import decode_text
from anchorage.errors import DocumentRefused
from anchorage.model import BlockKind, ParsedDocument

_LONG = 300  # characters of a text that reads as a paragraph, not as a field
_MAX_DEPTH = 200
_TITLES = {"title", "heading", "head"}


def parse_tree(data: bytes | str, name: str) -> Any:
    """The root element; entities are not resolved and nothing is fetched. Raises `DocumentRefused`."""
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, remove_pis=True, huge_tree=True
    )
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise DocumentRefused(
            "corrupt", f"{name} is damaged: its XML cannot be read ({error}). Save it again."
        ) from error
    return root


def parse(file: BinaryIO, name: str, task: Task) -> ParsedDocument:
    """Raises `DocumentRefused`."""
    data = file.read()
    try:
        root = parse_tree(data, name)
    except DocumentRefused:
        # The declared encoding may be wrong; what the bytes show is right then.
        text = decode_text(data, name).lstrip("\ufeff \t\r\n")
        if text.startswith("<?xml"):
            text = text.partition("?>")[2]
        root = parse_tree(text.encode(), name)
    builder = DocumentBuilder(task.limit)
    _add_element(root, builder, 0)
    return builder.finish(name)


def _add_element(element: Any, builder: DocumentBuilder, depth: int) -> None:
    children = [child for child in element if isinstance(child.tag, str)]
    attributes = [
        f"{_local_name(key)}: {fold_space(value)}" for key, value in element.attrib.items() if fold_space(value)
    ]
    running = fold_space(" ".join([element.text or "", *(child.tail or "" for child in element)]))
    if not children or running or depth > _MAX_DEPTH:
        text = fold_space(" ".join(piece for piece in element.xpath(".//text()") if piece.strip()))
        _add_leaf(element, text, attributes, builder, depth)
    elif all(_is_field(child) for child in children):
        fields = [
            f"{_local_name(child.tag)}: {fold_space(child.text or '')}"
            for child in children
            if fold_space(child.text or "")
        ]
        builder.add(BlockKind.TABLE_ROW, " | ".join([*attributes, *fields]))
    else:
        builder.add(BlockKind.TABLE_ROW, " | ".join(attributes))
        for child in children:
            _add_element(child, builder, depth + 1)


def _add_leaf(element: Any, text: str, attributes: list[str], builder: DocumentBuilder, depth: int) -> None:
    tag = _local_name(element.tag)
    if not text:
        builder.add(BlockKind.TABLE_ROW, " | ".join(attributes))
    elif tag in _TITLES and len(text) <= _LONG:
        builder.add(BlockKind.HEADING, text, max(1, min(6, depth)))
    elif len(text) > _LONG or len(element) or tag in ("p", "para"):
        builder.add(BlockKind.PARAGRAPH, text)
    else:
        builder.add(BlockKind.TABLE_ROW, " | ".join([*attributes, f"{tag}: {text}"]))


def _is_field(element: Any) -> bool:
    return len(element) == 0 and not element.attrib and len(element.text or "") <= _LONG


def _local_name(tag: str) -> str:
    return str(etree.QName(tag).localname)
