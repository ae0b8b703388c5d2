"""answer: writes the answer from the passages, by the generator or by quotation, and verifies what the generator wrote."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from numpy.typing import NDArray

from anchorage.chat.cite import cite
from anchorage.chat.generation.prompt import ABSTENTION, prompt
from anchorage.chat.quoting.extract import EVIDENCE_NEEDED, Extraction, extract, sentences_of
from anchorage.chat.retrieval.packing import PackableHits
from anchorage.chat.safety.inert import InertStream, inert
from anchorage.chat.safety.secrecy import recites, without_recital
from anchorage.chat.state import ChatServices, Statement, TurnContext
from anchorage.chat.verification.markers import unmarked
from anchorage.chat.verification.verify import Verified, verify
from anchorage.model import LOCAL_OWNER, Citation, Hit, Principal, Turn, Unsupported, Usage
from anchorage.text.analyser import analyser_name, analyser_named
from anchorage.text.hidden import visible
from anchorage.text.tokens import CHARACTERS_PER_TOKEN

_NO = re.compile(re.escape(ABSTENTION.rstrip(".")) + r"[.!]?", re.IGNORECASE)
_SETTLING = 4  # rounds after which an answer that is still not inert is given up
_SLOW = 2.0  # seconds that a model may write before what it read is packed
_FOLD_CLAIM = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Draft:
    """An answer with what it rests on, before its citations are resolved. `claims`: sentences that claim something."""

    text: str
    abstained: bool
    statements: Sequence[Statement] = ()
    usage: Usage = Usage()
    unsupported: Sequence[Unsupported] = ()
    claims: int = 0


async def extraction(services: ChatServices, question: str, vector: NDArray[Any], hits: Sequence[Hit]) -> Extraction:
    """The sentences of the hits, ranked as answers to the question."""
    sentences = sentences_of(hits)
    vectors = await services.sentence_vectors.of([sentence.text for sentence in sentences])
    return extract(question, sentences, vector, vectors, analyser_named(analyser_name(services.language)))


async def quote(services: ChatServices, question: str, vector: NDArray[Any], hits: Sequence[Hit]) -> tuple[Draft, bool]:
    """An answer made of the sentences that answer, verbatim; and whether there is evidence enough to give it."""
    limits = services.limits
    found = await extraction(services, question, vector, hits[: limits.passages])
    # A document that says "I could not find an answer" must not speak for us.
    chosen = [sentence for sentence in found.sentences if not _NO.search(visible(sentence.text))]
    statements = [
        Statement(
            _shown(sentence.text, services, (sentence.hit.uri,)), sentence.hit, sentence.start, sentence.end, marker
        )
        for marker, sentence in enumerate(chosen[: limits.max_sentences], 1)
    ]
    if not statements:
        return Draft(ABSTENTION, True), False
    text = " ".join(f"{statement.claim} [{statement.marker}]" for statement in statements)
    return Draft(text, False, statements, claims=len(statements)), found.evidence >= EVIDENCE_NEEDED


def _shown(text: str, services: ChatServices, cited: Collection[str]) -> str:
    """A document's sentence as part of an answer: on one line, inert, and without anything that looks like a marker."""
    line = unmarked(_FOLD_CLAIM.sub(" ", visible(text)).strip())
    return line if services.limits.links == "all" else inert(line, _linked(services, cited), inline=True)


def _linked(services: ChatServices, cited: Collection[str]) -> Collection[str]:
    return cited if services.limits.links == "cited" else ()


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

    draft = await generate(TurnContext(services, LOCAL_OWNER, unheard), question, PackableHits(hits), ())
    return draft, not draft.abstained


async def anchored_citations(services: ChatServices, principal: Principal, draft: Draft) -> list[Citation]:
    """The citations of a draft."""
    return await cite(services.store, principal, draft.statements)


async def generate(context: TurnContext, question: str, hits: PackableHits, history: Sequence[Turn]) -> Draft:
    """An answer written by the generator from the passages, verified; its text is emitted as it comes, its cost counted."""
    services = context.services
    generator, limits = services.generator, services.limits
    assert generator is not None
    if not hits:
        return Draft(ABSTENTION, True)
    text, usage = "", Usage(generator.model)
    shown = InertStream()
    # What is to be withheld is not known before the end.
    aloud, reciting = limits.unsupported == "mark", False
    messages = prompt(question, hits[: limits.passages], history)
    read, whole = sum(len(message.content) for message in messages), False
    clock = asyncio.get_running_loop().time
    late: float | None = clock() + _SLOW
    try:
        async for piece in generator.stream(messages, max_tokens=limits.max_tokens):
            if isinstance(piece, Usage):
                usage, whole = piece, bool(text)  # before the text, it only names who writes
                if whole:  # now, while the generator still sets it aside
                    services.spent(context.principal, usage)
                continue
            messages.clear()  # it was read; a slow answer need not hold it to its end
            if late is not None and clock() > late:
                hits.pack()
                late = None
            text += piece
            reciting = reciting or recites(text)
            safe = (piece if limits.links == "all" else shown.feed(piece)) if aloud and not reciting else ""
            if safe:
                await context.emit("token", {"text": safe})
    except BaseException:  # also when it is cancelled: what was written is paid for
        if text and not whole:
            services.spent(context.principal, _estimated(usage.model, read, text))
        raise
    if not whole:  # it was stopped
        usage = _estimated(usage.model, read, text)
        services.spent(context.principal, usage)
    if aloud and not reciting and (rest := shown.end()):
        await context.emit("token", {"text": rest})
    draft = replace(await verified(services, question, text, hits[: limits.passages]), usage=usage)
    if not aloud:
        await context.emit("token", {"text": draft.text})
    return draft


def _estimated(model: str | None, read: int, text: str) -> Usage:
    """About what an answer cost that was broken off before the server told it; `read` in characters."""
    return Usage(model, read // CHARACTERS_PER_TOKEN + 1, len(text) // CHARACTERS_PER_TOKEN + 1)


async def verified(services: ChatServices, question: str, text: str, passages: Sequence[Hit]) -> Draft:
    """What a generator wrote, as a draft whose markers are right; an abstention where that is all it says."""
    limits = services.limits
    analyser = analyser_named(analyser_name(services.language))
    seen = without_recital(visible(text)).strip()
    said = _NO.sub("", seen).strip()
    declined = said != seen

    async def verify_it(answer: str) -> Verified:
        return await verify(
            answer, passages, question, analyser, vectors=services.sentence_vectors if limits.align_meaning else None,
            likeness=limits.likeness, withhold=limits.unsupported == "withhold",
        )  # fmt: skip

    if not any(char.isalnum() for char in said):
        return Draft(ABSTENTION, True)
    found = await verify_it(said if limits.links == "all" else inert(said))
    if limits.links != "all":
        # Which links may stay is known when the citations are; and taking out a marker may join what it kept apart.
        cited = _linked(services, {statement.hit.uri for statement in found.statements})
        text = inert(said, cited) if cited and "://" in said else inert(found.text, cited)
        for _ in range(_SETTLING):
            if text == found.text:
                break
            found = await verify_it(text)
            text = inert(found.text, cited)
        else:
            return Draft(ABSTENTION, True)
    if not found.statements and (declined or not found.text):
        return Draft(ABSTENTION, True)
    return Draft(found.text, False, found.statements, Usage(), found.unsupported, found.claims)
