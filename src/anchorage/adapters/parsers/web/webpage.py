"""Pages of the web: HTML without the menus, banners and side columns that every page of a site repeats.

Our own HTML parser makes the blocks; resiliparse, which judges elements by their names, places and link density, tells what is
the page's content. A block stays where its words are in that content, so headings, lists and table rows stay what they are.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import BinaryIO

from anchorage.adapters.parsers.builder import DocumentBuilder, clean_text
from anchorage.adapters.parsers.task import Task
from anchorage.adapters.parsers.web.html import parse_markup, read_markup
from anchorage.model import Block, BlockKind, ParsedDocument

_MARKS = re.compile(r"[\W_]+")
_LONGEST = 2_000_000  # characters of a page whose content is looked for; longer ones are archives, not pages
_SHARE = 0.2  # of the words: a content that is less was guessed wrong
_FEW = 250  # characters: a page this short has nothing to lose


def parse(file: BinaryIO, name: str, task: Task) -> ParsedDocument:
    """Raises `DocumentRefused`."""
    markup = clean_text(read_markup(file, name))
    document = parse_markup(markup, name, task.limit)
    if len(markup) > _LONGEST:
        return document
    kept = _select_content(document, _normalize(_extract_main_text(markup)))
    if not kept or len(kept) == len(document.blocks):
        return document
    builder = DocumentBuilder(task.limit)
    for block in kept:
        builder.add(block.kind, document.text[block.start : block.end], block.level)
    return builder.finish(name, document.title, document.metadata)


def _extract_main_text(markup: str) -> str:
    from resiliparse.extract.html2text import extract_plain_text

    text: str = extract_plain_text(markup, main_content=True, list_bullets=False, preserve_formatting=False)
    return text


def _select_content(document: ParsedDocument, main: str) -> Sequence[Block]:
    """The blocks that are the page's content; none where that is not clear."""
    keys = [_normalize(document.text[block.start : block.end]) for block in document.blocks]
    kept = [
        block
        for block, is_kept in zip(document.blocks, _match_blocks(document.blocks, keys, main), strict=True)
        if is_kept
    ]
    whole = sum(map(len, keys))
    found = sum(len(_normalize(document.text[block.start : block.end])) for block in kept)
    return kept if whole > _FEW and found >= max(_FEW / 2, whole * _SHARE) else []


def _match_blocks(blocks: Sequence[Block], keys: Sequence[str], main: str) -> Sequence[bool]:
    """Whether each block is in `main`, which has them in the same order; a heading also where what follows it is."""
    place, found = 0, []
    for key in keys:
        at = main.find(key, place)
        at = main.find(key) if at < 0 else at
        # Only a block of some length moves the place on: a short one may be found too far ahead.
        place = at + len(key) if at >= 0 and len(key) > 40 else place
        found.append(at >= 0)
    _fill_gaps(blocks, found)
    following = False
    for number in range(len(blocks) - 1, -1, -1):
        if blocks[number].kind is BlockKind.HEADING:
            found[number] = found[number] or following
        following = found[number]
    return found


def _fill_gaps(blocks: Sequence[Block], found: list[bool]) -> None:
    """Keep what stands inside the content: resiliparse takes a short list for a menu, and a lost step is worse than a menu.

    That is a run without a heading between two blocks of the content, and a list right below one of its headings.
    """
    last = -1
    for number, is_kept in enumerate(list(found)):
        if is_kept:
            gap = range(last + 1, number)
            if last >= 0 and not any(blocks[index].kind is BlockKind.HEADING for index in gap):
                found[last + 1 : number] = [True] * len(gap)
            last = number
    if last >= 0 and blocks[last].kind is BlockKind.HEADING:
        for number in range(last + 1, len(blocks)):
            if blocks[number].kind is not BlockKind.LIST_ITEM:
                break
            found[number] = True


def _normalize(text: str) -> str:
    """A text's letters and digits: all that two ways to extract it agree on."""
    return _MARKS.sub("", text)
