"""Chat: builds the steps of a turn, each with just what it needs, and the use cases that the faces call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from anchorage.chat.answer import Author
from anchorage.chat.cite import Citer
from anchorage.chat.generation.usage import UsageRecorder
from anchorage.chat.generation.writer import Writer
from anchorage.chat.intent.catalogue import CatalogueReader
from anchorage.chat.intent.reply import IntentReplier
from anchorage.chat.memory.history import Summaries
from anchorage.chat.memory.recall import AnswerRecall, Caching
from anchorage.chat.memory.remember import Rememberer
from anchorage.chat.memory.rewrite import Rewriter
from anchorage.chat.memory.trace import SettingsFingerprint
from anchorage.chat.pipeline import Pipeline
from anchorage.chat.quoting.quoter import Quoter
from anchorage.chat.quoting.reading import PassageReader
from anchorage.chat.quoting.sentences import SentenceVectors
from anchorage.chat.retrieval.candidates import CandidateFinder
from anchorage.chat.retrieval.embed import QuestionEmbedder
from anchorage.chat.retrieval.multi_query import QueryExpander
from anchorage.chat.retrieval.rerank import Reranking
from anchorage.chat.retrieval.retrieve import Retriever
from anchorage.chat.retrieval.search import PassageSearch
from anchorage.chat.safety.guard import Guards, TurnGuard
from anchorage.chat.state import ChatLimits
from anchorage.chat.turn import Chat
from anchorage.chat.verification.verifier import Verifier
from anchorage.evaluation.drafter import Drafter
from anchorage.evaluation.run import Evaluator, charge_to_evaluation
from anchorage.model import EmbedderSpec
from anchorage.ports.catalog import Catalog
from anchorage.ports.embedder import Embedder, Embedders
from anchorage.ports.llm import Generator
from anchorage.ports.memory import Memory
from anchorage.ports.retrieval_role import RetrievalRole
from anchorage.ports.search import Search
from anchorage.ports.usage import Ledger
from anchorage.settings import Settings
from anchorage.text.analyser import Analyser, format_analyser_name, load_analyser


@dataclass(frozen=True, slots=True)
class ChatParts:
    """What the steps are built from. It ends here: a step gets what it needs of it, never all of it."""

    catalog: Catalog
    search: Search
    embedder: Embedder
    embedders: Embedders
    memory: Memory
    generator: Generator | None
    """Without one, answers are quotations."""
    sentence_vectors: SentenceVectors
    limits: ChatLimits
    language: str
    reranking: Reranking | None = None
    guards: Guards | None = None
    ledger: Ledger | None = None
    caching: Caching | None = None
    summarise: bool = False
    """Whether long threads are summarised; else they are read back as a window alone."""
    metered: Callable[[EmbedderSpec], bool] | None = None
    """Which embedders are paid for."""
    role: RetrievalRole | None = None
    """Searches for questions, where another process does that."""


@dataclass(frozen=True, slots=True)
class ChatUseCases:
    """What the faces call, and what streams are made with."""

    chat: Chat
    passages: PassageSearch
    finder: CandidateFinder
    retriever: Retriever
    evaluator: Evaluator
    guard: TurnGuard
    summaries: Summaries | None


def build_chat(parts: ChatParts) -> ChatUseCases:
    """The steps, and the use cases over them."""
    limits, generator = parts.limits, parts.generator
    usage = UsageRecorder(parts.ledger, parts.metered)
    analyser = _analyser(parts)
    embedder = QuestionEmbedder(parts.embedder, parts.embedders, usage)
    guard = TurnGuard(parts.guards, usage, parts.embedder.spec)
    finder = CandidateFinder(parts.search, embedder, limits, parts.role)
    retriever = _build_retriever(parts, finder, embedder, usage)
    author: Author = (
        Writer(generator, usage, limits)
        if generator
        else Quoter(PassageReader(parts.catalog), parts.sentence_vectors, usage, limits, analyser)
    )
    recall = AnswerRecall(parts.caching, parts.search, embedder, limits, written=generator is not None)
    fingerprint = SettingsFingerprint(
        parts.embedder.spec, limits, parts.language, generator.model if generator else None
    )
    summaries = Summaries(parts.memory, generator, usage, limits) if generator and parts.summarise else None
    pipeline = Pipeline(
        guard,
        IntentReplier(CatalogueReader(parts.catalog, retriever, analyser)),
        Rewriter(generator, usage, limits.question_limit),
        recall,
        retriever,
        author,
        Verifier(parts.sentence_vectors, usage, limits, analyser),
        Citer(parts.catalog),
        Rememberer(parts.memory, recall, fingerprint, summaries),
    )
    return ChatUseCases(
        chat=Chat(pipeline, parts.memory, guard, usage, fingerprint),
        passages=PassageSearch(guard, retriever, limits.question_limit),
        finder=finder,
        retriever=retriever,
        evaluator=_build_evaluator(parts),
        guard=guard,
        summaries=summaries,
    )


def _build_evaluator(parts: ChatParts) -> Evaluator:
    """An evaluator, whose models are on an account of its own."""
    limits, vectors, analyser = parts.limits, parts.sentence_vectors, _analyser(parts)
    usage = UsageRecorder(charge_to_evaluation(parts.ledger), parts.metered)
    embedder = QuestionEmbedder(parts.embedder, parts.embedders, usage)
    finder = CandidateFinder(parts.search, embedder, limits, parts.role)
    drafter = Drafter(
        Writer(parts.generator, usage, limits) if parts.generator else None,
        Quoter(PassageReader(parts.catalog), vectors, usage, limits, analyser),
        Verifier(vectors, usage, limits, analyser),
        Citer(parts.catalog),
        limits.passages,
    )
    return Evaluator(parts.catalog, _build_retriever(parts, finder, embedder, usage), drafter, analyser)


def _build_retriever(
    parts: ChatParts, finder: CandidateFinder, embedder: QuestionEmbedder, usage: UsageRecorder
) -> Retriever:
    expander = QueryExpander(parts.generator, usage, parts.limits) if parts.generator else None
    return Retriever(
        finder, embedder, parts.reranking, expander, parts.limits, by_meaning=parts.generator is None
    )  # fmt: skip


def _analyser(parts: ChatParts) -> Analyser:
    return load_analyser(format_analyser_name(parts.language))


def chat_limits(settings: Settings) -> ChatLimits:
    """The bounds of a turn that the settings name."""
    return ChatLimits(
        k=settings.retrieval.k,
        depth=settings.retrieval.depth,
        dense_weight=settings.retrieval.dense_weight,
        queries=settings.retrieval.queries,
        passages=settings.answer.passages,
        max_sentences=settings.answer.max_sentences,
        max_tokens=settings.llm.max_tokens,
        history_turns=settings.answer.history_turns,
        question_limit=settings.answer.question_limit,
        abstain=settings.answer.abstain,
        unsupported=settings.answer.unsupported,
        links=settings.answer.links,
        align_meaning=settings.answer.align_meaning,
        likeness=settings.answer.likeness,
        history_tokens=settings.answer.history_tokens,
    )
