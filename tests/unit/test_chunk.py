"""Chunking: nothing lost, offsets exact, budgets kept, never mid-word."""

import itertools
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anchorage.ingest.chunk import ChunkBudget, body_budget, chunk_document, pages_between, passage_header, passage_text
from anchorage.model import Block, BlockKind, Chunk, Page, ParsedDocument

WORDS = st.text(alphabet="abcdefgh éß猫🐈.,!?\n\t", min_size=1, max_size=200)
KINDS = st.sampled_from(list(BlockKind))


def word_starts(text: str) -> np.ndarray:
    return np.array([match.start() for match in re.finditer(r"\S+", text)], dtype=np.int64)


@st.composite
def documents(draw: st.DrawFn) -> ParsedDocument:
    text, blocks, pages = "", [], []
    for _ in range(draw(st.integers(0, 12))):
        text += draw(st.sampled_from(["", "\n\n", " stray text \n"]))
        body = draw(WORDS)
        kind = draw(KINDS)
        blocks.append(
            Block(kind, len(text), len(text) + len(body), draw(st.integers(1, 6)) if kind is BlockKind.HEADING else 0)
        )
        text += body
        if draw(st.booleans()):
            pages.append(Page(len(pages) + 1, pages[-1].end if pages else 0, len(text)))
    return ParsedDocument(text, "Title", tuple(blocks), tuple(pages))


@settings(max_examples=300, deadline=None)
@given(documents(), st.integers(16, 60), st.integers(0, 8))
def test_nothing_is_lost_and_offsets_reproduce_the_text(document: ParsedDocument, tokens: int, overlap: int) -> None:
    chunks = chunk_document(document, word_starts(document.text), ChunkBudget(tokens, overlap))
    covered = set()
    for number, chunk in enumerate(chunks):
        assert chunk.ordinal == number
        assert chunk.text == document.text[chunk.start : chunk.end]
        assert chunk.text.strip()
        covered.update(range(chunk.start, chunk.end))
    assert {at for at, char in enumerate(document.text) if not char.isspace()} <= covered


@settings(max_examples=300, deadline=None)
@given(documents(), st.integers(16, 60), st.integers(0, 8))
def test_chunks_fit_the_budget_and_end_at_words(document: ParsedDocument, tokens: int, overlap: int) -> None:
    text = document.text
    edges = {block.start for block in document.blocks} | {block.end for block in document.blocks}
    for chunk in chunk_document(document, word_starts(text), ChunkBudget(tokens, overlap)):
        assert len(chunk.text.split()) <= tokens
        for at in (chunk.start, chunk.end):
            inside = 0 < at < len(text) and not text[at - 1].isspace() and not text[at].isspace()
            assert not inside or at in edges or text[at - 1] in ".!?"


def test_a_word_longer_than_the_budget_is_cut_rather_than_lost() -> None:
    text = "x" * 1000
    document = ParsedDocument(text, "T", (Block(BlockKind.PARAGRAPH, 0, len(text)),))
    chunks = chunk_document(document, np.arange(0, 1000, 4), ChunkBudget(50, 0))
    assert "".join(chunk.text for chunk in chunks) == text


def test_headings_become_the_path_and_pages_the_page() -> None:
    text = "Guide\n\nIntro words here.\n\nDetails\n\n" + "More words follow. " * 30
    details = text.index("Details")
    blocks = (
        Block(BlockKind.HEADING, 0, 5, 1), Block(BlockKind.PARAGRAPH, 7, 24), Block(BlockKind.HEADING, details, details + 7, 2),
        Block(BlockKind.PARAGRAPH, details + 9, len(text)),
    )  # fmt: skip
    document = ParsedDocument(text, "Guide", blocks, (Page(4, 0, details), Page(5, details, len(text))))
    chunks = chunk_document(document, word_starts(text), ChunkBudget(40, 4))
    assert chunks[-1].heading_path == ("Guide", "Details")
    assert chunks[-1].page == 5
    assert chunks[0].page == 4


def test_passages_of_a_long_section_overlap_and_are_balanced() -> None:
    text = " ".join(f"Sentence number {number} is here." for number in range(60))
    document = ParsedDocument(text, "T", (Block(BlockKind.PARAGRAPH, 0, len(text)),))
    chunks = chunk_document(document, word_starts(text), ChunkBudget(60, 10))
    sizes = [len(chunk.text.split()) for chunk in chunks]
    assert min(sizes) > 30
    assert all(later.start < earlier.end for earlier, later in itertools.pairwise(chunks))


def test_the_header_says_each_thing_once_and_stays_short() -> None:
    assert passage_header("Guide", ("Guide", "Setup")) == "Guide › Setup"
    assert passage_text("", Chunk(0, "body", 0, 4)) == "body"
    assert len(passage_header("word " * 100, ())) <= 160


def test_an_impossible_budget_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 16"):
        ChunkBudget(8, 0)
    assert body_budget(256, 1000) == 256 - 2 - 64


def test_pages_between() -> None:
    pages = (Page(1, 0, 10), Page(2, 10, 20), Page(3, 20, 30))
    assert pages_between(pages, 0, 10) == (1,)
    assert pages_between(pages, 9, 21) == (1, 2, 3)


def test_an_edit_of_a_long_text_without_headings_leaves_the_passages_after_it_alone() -> None:
    import random

    rng = random.Random(7)
    words = [f"word{number}" for number in range(500)]
    sentences = [" ".join(rng.choices(words, k=rng.randrange(6, 20))).capitalize() + "." for _ in range(3000)]

    def passages(parts: list[str]) -> list[str]:
        text = " ".join(parts)
        document = ParsedDocument(text, "t", (Block(BlockKind.PARAGRAPH, 0, len(text)),))
        starts = np.array([match.start() for match in re.finditer(r"\S+", text)], dtype=np.int64)
        return [chunk.text for chunk in chunk_document(document, starts, ChunkBudget(120, 20))]

    before = passages(sentences)
    edited = [
        *sentences[:1000],
        "A sentence that was not there.",
        "And a second one, longer than that.",
        *sentences[1001:],
    ]
    after = passages(edited)
    assert len(before) > 250
    assert len(set(after) - set(before)) <= 20


@pytest.mark.parametrize(
    "text", ["x" * 100_000, "A sentence. " + "y" * 70_000 + " And another.", "a" + " " * 50_000 + "b"]
)
def test_a_word_without_end_is_not_one_passage(text: str) -> None:
    chunks = chunk_document(ParsedDocument(text, "T", (), ()), word_starts(text), ChunkBudget(20, 2))
    assert max(len(chunk.text) for chunk in chunks) <= 20 * 64
    assert {at for chunk in chunks for at in range(chunk.start, chunk.end)} >= {
        at for at, char in enumerate(text) if not char.isspace()
    }
