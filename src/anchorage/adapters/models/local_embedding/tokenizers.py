"""The tokenizers of the local models: texts in, numbers of tokens out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from anchorage.adapters.models.local_embedding.weights import Vocabulary

_WINDOW = 100_000
_NORMALISER = "nmt_nfkc"  # XLM-R's: NFKC, control characters out, any white space a space


class Tokenizer(Protocol):
    """Turns texts into numbers of tokens, from several threads at once."""

    def encode(self, text: str, limit: int) -> list[int]:
        """At most `limit` numbers, with the model's own marks at both ends."""
        ...

    def find_starts(self, text: str) -> NDArray[np.int64]:
        """Where each token of the text starts, without marks and without a limit."""
        ...


class WordPieceTokenizer:
    """The fast tokenizer of a `tokenizer.json`."""

    def __init__(self, path: Path) -> None:
        from tokenizers import Tokenizer as FastTokenizer

        self._tokenizer = FastTokenizer.from_file(str(path))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()

    def encode(self, text: str, limit: int) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text).ids
        return ids if len(ids) <= limit else [*ids[: limit - 1], ids[-1]]

    def find_starts(self, text: str) -> NDArray[np.int64]:
        found = [np.zeros(0, dtype=np.int64)]
        for left, right in split_into_windows(text):
            offsets = self._tokenizer.encode(text[left:right], add_special_tokens=False).offsets
            found.append(np.array([left + start for start, _ in offsets], dtype=np.int64))
        return np.concatenate(found)


class SentencePieceTokenizer:
    """A Unigram tokenizer by SentencePiece: 250,000 pieces take 35 MB here, and 270 MB in the tokenizers library."""

    def __init__(self, path: Path) -> None:
        from sentencepiece import SentencePieceProcessor

        self._processor: Any = SentencePieceProcessor(model_file=str(path))
        self._start, self._end = self._processor.bos_id(), self._processor.eos_id()

    def encode(self, text: str, limit: int) -> list[int]:
        ids: list[int] = self._processor.encode(text)
        return [self._start, *ids[: limit - 2], self._end]

    def find_starts(self, text: str) -> NDArray[np.int64]:
        found = [np.zeros(0, dtype=np.int64)]
        for left, right in split_into_windows(text):
            offsets = self._processor.encode(text[left:right], return_type="offset_mapping")["offsets"]
            found.append(np.array([_skip_space(text, left + start, left + end) for start, end in offsets], np.int64))
        return np.concatenate(found)


def _skip_space(text: str, start: int, end: int) -> int:
    """A piece begins with the space before its word; the word is what counts."""
    while start < end and text[start].isspace():
        start += 1
    return start


def split_into_windows(text: str) -> Iterator[tuple[int, int]]:
    """Spans of about `_WINDOW` characters that together are the text, cut at white space where there is any.

    The encoding of a whole book takes a hundred times its text in memory.
    """
    left = 0
    while left < len(text):
        right = min(left + _WINDOW, len(text))
        if right < len(text):
            space = max(text.rfind(" ", left, right), text.rfind("\n", left, right))
            right = space if space > left else right
        yield left, right
        left = right


def write_sentencepiece_model(vocabulary: Vocabulary, target: Path) -> None:
    """Write a model file of SentencePiece with this vocabulary, whose numbers are the vocabulary's own."""
    import sentencepiece
    from sentencepiece import sentencepiece_model_pb2

    format_of: Any = sentencepiece_model_pb2  # its classes are made when it is imported
    normaliser: Any = sentencepiece.SentencePieceNormalizer(
        rule_name=_NORMALISER, add_dummy_prefix=True, remove_extra_whitespaces=True, escape_whitespaces=True
    )
    model: Any = format_of.ModelProto()
    model.ParseFromString(normaliser.serialized_model_proto())
    kinds = format_of.ModelProto.SentencePiece
    marks = (vocabulary.start, vocabulary.padding, vocabulary.end)
    del model.pieces[:]
    for number, (piece, score) in enumerate(zip(vocabulary.pieces, vocabulary.scores, strict=True)):
        control = number in marks or piece == "<mask>"
        kind = kinds.UNKNOWN if number == vocabulary.unknown else kinds.CONTROL if control else kinds.NORMAL
        model.pieces.add(piece=piece, score=score, type=kind)
    names: Sequence[tuple[str, int]] = (
        ("bos", vocabulary.start), ("pad", vocabulary.padding), ("eos", vocabulary.end), ("unk", vocabulary.unknown),
    )  # fmt: skip
    for name, number in names:
        setattr(model.trainer_spec, f"{name}_id", number)
        setattr(model.trainer_spec, f"{name}_piece", vocabulary.pieces[number])
    target.write_bytes(model.SerializeToString())
