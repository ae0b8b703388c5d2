"""answer: writes the answer from the passages, by the generator or by quotation."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from typing import Any

from numpy.typing import NDArray

from anchorage.chat.cite import cite
from anchorage.chat.extract import EVIDENCE_NEEDED, Extraction, extract, sentences_of
from anchorage.chat.state import ChatServices, Statement, TurnContext
from anchorage.model import LOCAL_OWNER, Citation, Hit, Message, Principal, Turn, Usage
from anchorage.text.analyser import analyser_name, analyser_named
from anchorage.text.sentences import sentence_spans

ABSTENTION = "I could not find an answer to this in these documents."
_MARKERS = re.compile(r"[ \t]*\[(\d{1,3}(?:\s*,\s*\d{1,3})*)\]")
_FOLD_CLAIM = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Draft:
    """An answer with what it rests on, before its citations are resolved."""

    text: str
    abstained: bool
    statements: Sequence[Statement] = ()
    usage: Usage = Usage()


async def extraction(services: ChatServices, question: str, vector: NDArray[Any], hits: Sequence[Hit]) -> Extraction:
    """The sentences of the hits, ranked as answers to the question."""
    sentences = sentences_of(hits)
    vectors = await services.sentence_vectors.of([sentence.text for sentence in sentences])
    return extract(question, sentences, vector, vectors, analyser_named(analyser_name(services.language)))


async def quote(services: ChatServices, question: str, vector: NDArray[Any], hits: Sequence[Hit]) -> tuple[Draft, bool]:
    """An answer made of the sentences that answer, verbatim; and whether there is evidence enough to give it."""
    limits = services.limits
    found = await extraction(services, question, vector, hits[: limits.passages])
    statements = [
        Statement(_FOLD_CLAIM.sub(" ", sentence.text), sentence.hit, sentence.start, sentence.end, marker)
        for marker, sentence in enumerate(found.sentences[: limits.max_sentences], 1)
    ]
    if not statements:
        return Draft(ABSTENTION, True), False
    text = " ".join(f"{statement.claim} [{statement.marker}]" for statement in statements)
    return Draft(text, False, statements), found.evidence >= EVIDENCE_NEEDED


async def quote_or_abstain(services: ChatServices, question: str, vector: NDArray[Any], hits: Sequence[Hit]) -> Draft:
    """A quoted answer, or an honest no where the evidence is thin and the settings ask for it."""
    draft, evident = await quote(services, question, vector, hits)
    return draft if evident or not services.limits.abstain else Draft(ABSTENTION, True)


async def draft_answer(
    services: ChatServices, question: str, vector: NDArray[Any], hits: Sequence[Hit]
) -> tuple[Draft, bool]:
    """For evaluation: the answer with abstention off, and whether it would be given with abstention on."""
    if services.generator is None:
        return await quote(services, question, vector, hits)

    async def unheard(kind: str, data: dict[str, Any]) -> None:
        return None

    draft = await generate(TurnContext(services, LOCAL_OWNER, unheard), question, hits, ())
    return draft, not draft.abstained


async def anchored_citations(services: ChatServices, principal: Principal, draft: Draft) -> list[Citation]:
    """The citations of a draft."""
    return await cite(services.store, principal, draft.statements)


async def generate(context: TurnContext, question: str, hits: Sequence[Hit], history: Sequence[Turn]) -> Draft:
    """An answer written by the generator from the passages; its text is emitted as it comes."""
    services = context.services
    generator = services.generator
    assert generator is not None
    passages = hits[: services.limits.passages]
    if not passages:
        return Draft(ABSTENTION, True)
    text, usage = "", Usage(generator.model)
    async for piece in generator.stream(prompt(question, passages, history), max_tokens=services.limits.max_tokens):
        if isinstance(piece, Usage):
            usage = piece
        else:
            text += piece
            await context.emit("token", {"text": piece})
    text = text.strip()
    if not text or ABSTENTION.rstrip(".").lower() in text.lower():
        return Draft(ABSTENTION, True, usage=usage)
    return replace(anchored(text, passages, services.language), usage=usage)


def prompt(question: str, passages: Sequence[Hit], history: Sequence[Turn]) -> list[Message]:
    """The generator's messages. Passages are delimited data; their text cannot close the delimiter."""
    system = (
        files("anchorage.chat.prompts").joinpath("answer.md").read_text("utf-8").replace("{abstention}", ABSTENTION)
    )
    blocks = []
    for number, hit in enumerate(passages, 1):
        body = re.sub(r"<(/?)(?=passage)", r"‹\1", hit.text, flags=re.IGNORECASE)
        title = re.sub(r"[\"<>\n]", " ", hit.title)
        page = f' page="{hit.page}"' if hit.page else ""
        blocks.append(f'<passage number="{number}" title="{title}"{page}>\n{body}\n</passage>')
    messages = [Message("system", system)]
    for turn in history:
        messages += [Message("user", turn.question), Message("assistant", _MARKERS.sub("", turn.answer))]
    return [*messages, Message("user", "\n".join(blocks) + f"\n\nQuestion: {question}")]


def anchored(text: str, passages: Sequence[Hit], language: str) -> Draft:
    """Tie each marked sentence to the sentence of its passage that shares most of its words; drop markers of no passage."""
    statements: list[Statement] = []
    pieces, at = [], 0
    analyser = analyser_named(analyser_name(language))
    for match in _MARKERS.finditer(text):
        before = text[at : match.start()]
        pieces.append(before)
        at = match.end()
        numbers = [int(number) for number in match.group(1).split(",")]
        valid = [number for number in dict.fromkeys(numbers) if 1 <= number <= len(passages)]
        # A second marker in a row belongs to the same sentence as the first.
        claim = _last_sentence("".join(pieces)) if before.strip() or not statements else statements[-1].claim
        for number in valid:
            hit = passages[number - 1]
            start, end = _supporting(claim, hit, analyser)
            statements.append(Statement(claim, hit, start, end, number))
        pieces.append("".join(f" [{number}]" for number in valid))
    pieces.append(text[at:])
    return Draft("".join(pieces).strip(), False, statements)


def _last_sentence(text: str) -> str:
    plain = _MARKERS.sub("", text)
    spans = list(sentence_spans(plain))
    # "A first sentence. [1] A second one [2]": what stands before a marker, back to the end of the sentence before.
    return _FOLD_CLAIM.sub(" ", plain[slice(*spans[-1])]) if spans else ""


def _supporting(claim: str, hit: Hit, analyser: Any) -> tuple[int, int]:
    wanted = set(analyser.terms(claim))
    spans = list(sentence_spans(hit.text)) or [(0, len(hit.text))]
    return max(spans, key=lambda span: (len(wanted & set(analyser.terms(hit.text[slice(*span)]))), -span[0]))
