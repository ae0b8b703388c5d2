"""What remote embedders share: known models, unit vectors, and an estimate of where tokens start."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anchorage.errors import ModelError
from anchorage.ports.embedder import Vectors

_BGE_QUERY = "Represent this sentence for searching relevant passages: "
_CJK = "\u3040-\u30ff\u3100-\u312f\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
_CJK_CHARACTER, _WORD_CHARACTER = re.compile(f"[{_CJK}]"), re.compile(r"\w")
_SPACE, _WORD, _ALONE, _PIECE = 0, 1, 2, 4  # kinds of characters, and how many of a word make a token


@dataclass(frozen=True, slots=True)
class KnownModel:
    """Vector length of a model, and the words that it was trained to see before a passage and a question."""

    dimension: int
    passage_prefix: str = ""
    query_prefix: str = ""
    shortens: bool = False
    """Whether it makes shorter vectors on request (`dimensions`)."""


_KNOWN: dict[str, KnownModel] = {
    "text-embedding-3-small": KnownModel(1536, shortens=True),
    "text-embedding-3-large": KnownModel(3072, shortens=True),
    "text-embedding-ada-002": KnownModel(1536),
    "nomic-embed-text": KnownModel(768, "search_document: ", "search_query: "),
    "nomic-embed-text-v1": KnownModel(768, "search_document: ", "search_query: "),
    "nomic-embed-text-v1.5": KnownModel(768, "search_document: ", "search_query: "),
    "mxbai-embed-large": KnownModel(1024, "", _BGE_QUERY),
    "mxbai-embed-large-v1": KnownModel(1024, "", _BGE_QUERY),
    "bge-small-en-v1.5": KnownModel(384, "", _BGE_QUERY),
    "bge-base-en-v1.5": KnownModel(768, "", _BGE_QUERY),
    "bge-large-en-v1.5": KnownModel(1024, "", _BGE_QUERY),
    "bge-large": KnownModel(1024, "", _BGE_QUERY),
    "bge-m3": KnownModel(1024),
    "all-minilm": KnownModel(384),
    "all-minilm:22m": KnownModel(384),
    "all-minilm:33m": KnownModel(384),
    "all-minilm-l6-v2": KnownModel(384),
    "all-minilm-l12-v2": KnownModel(384),
}


def find_known_model(name: str) -> KnownModel | None:
    """Find a known model by its name, with or without owner (`BAAI/bge-m3`) and Ollama tag (`bge-m3:latest`)."""
    short = name.strip().lower().rpartition("/")[2]
    return _KNOWN.get(short) or _KNOWN.get(short.partition(":")[0] if short.endswith((":latest", ":v1.5")) else "")


def make_unit_vectors(rows: Sequence[Any], expected: int, dimension: int | None, model: str, hint: str) -> Vectors:
    """Scale the rows to length 1, as float32. Raises `ModelError` for a wrong count, a wrong length or what is no number.

    `hint` says which setting to look at when the length is wrong.
    """
    if len(rows) != expected:
        raise ModelError(
            f"The embedding model {model!r} returned {len(rows)} vectors for {expected} texts. Its server is at fault: "
            "try a smaller ANCHORAGE_EMBEDDING__BATCH_SIZE, or another server."
        )
    if not expected:
        return np.empty((0, dimension or 0), dtype=np.float32)
    try:
        array = np.asarray(rows, dtype=np.float32)
    except (ValueError, TypeError) as error:
        raise _make_vector_error(model, "vectors of unequal length or without numbers") from error
    if array.ndim != 2 or array.shape[1] == 0:
        raise _make_vector_error(model, "something else than lists of numbers")
    if dimension is not None and array.shape[1] != dimension:
        raise ModelError(
            f"The embedding model {model!r} returned vectors of {array.shape[1]} numbers where {dimension} were "
            f"expected. {hint}"
        )
    # In double precision: the squares of a float32 may overflow.
    norms = np.linalg.norm(array.astype(np.float64), axis=1, keepdims=True)
    if not np.isfinite(norms).all():
        raise _make_vector_error(model, "NaN or infinity in a vector")
    if not (norms > 0).all():
        raise _make_vector_error(model, "a vector of zeros")
    return np.asarray(array / norms, dtype=np.float32)


def estimate_token_starts(text: str) -> NDArray[np.int64]:
    """Words cut into pieces of four characters, one per CJK character and punctuation mark.

    A subword tokenizer rarely makes more of a text in the languages it was made for, so a passage cut by this fits.
    """
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
    if not len(codes):
        return np.empty(0, dtype=np.int64)
    if text.isascii():
        kinds = _classify_ascii()[codes]
    else:
        seen, which = np.unique(codes, return_inverse=True)
        kinds = np.array([_classify_character(code) for code in seen.tolist()], dtype=np.int8)[which]
    word, at = kinds == _WORD, np.arange(len(codes))
    begins = word.copy()
    begins[1:] &= ~word[:-1]
    first = np.maximum.accumulate(np.where(begins, at, 0))
    return np.flatnonzero((kinds == _ALONE) | (word & ((at - first) % _PIECE == 0)))


@lru_cache(maxsize=8192)
def _classify_character(code: int) -> int:
    char = chr(code)
    if _CJK_CHARACTER.match(char):
        return _ALONE
    return _WORD if _WORD_CHARACTER.match(char) else _SPACE if char.isspace() else _ALONE


@lru_cache(maxsize=1)
def _classify_ascii() -> NDArray[np.int8]:
    return np.array([_classify_character(code) for code in range(128)], dtype=np.int8)


def truncate_to_tokens(text: str, limit: int) -> str:
    """Cut the text after `limit` estimated tokens. Never returns an empty text, which servers refuse."""
    if len(text) > limit:  # a token is at least one character
        starts = estimate_token_starts(text)
        if len(starts) > limit:
            text = text[: int(starts[limit])]
    return text if text.strip() else "-"


def _make_vector_error(model: str, what: str) -> ModelError:
    return ModelError(
        f"The embedding model {model!r} returned {what}. Check that it is an embedding model, and look at its server's log."
    )
