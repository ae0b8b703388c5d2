"""Our BM25 index against bm25s on a judged set: python -m bench.lexical DIR."""

from __future__ import annotations

import sys
import time
from collections import Counter
from pathlib import Path

import bm25s
import numpy as np
import Stemmer

from anchorage.adapters.postgres.lexical.postings import Block, Statistics, encode, invert, score, weigh_postings
from anchorage.adapters.postgres.lexical.segments import analyse
from anchorage.evaluation.dataset import read_corpus, read_dataset
from anchorage.evaluation.metrics import ndcg
from anchorage.text.analyser import format_analyser_name, load_analyser
from bench.support import report


def main(folder: Path) -> None:
    dataset = read_dataset(folder)
    corpus = list(read_corpus(dataset.corpus))
    texts = [f"{title}\n{text}" if title else text for _, title, text in corpus]
    queries = [query for query in dataset.queries if query.relevant]
    ours, our_seconds = _ours(texts, [query.text for query in queries])
    theirs, their_seconds = _theirs(texts, [query.text for query in queries])
    ids = [key for key, _, _ in corpus]
    means = [
        float(
            np.mean(
                [
                    ndcg([ids[at] for at in ranked], query.relevant, 10)
                    for ranked, query in zip(lists, queries, strict=True)
                ]
            )
        )
        for lists in (ours, theirs)
    ]
    report(
        queries=len(queries),
        ndcg_at_10={
            "ours": round(means[0], 4),
            "bm25s": round(means[1], 4),
            "difference": round(means[0] - means[1], 4),
        },
        seconds={"ours": round(our_seconds, 2), "bm25s": round(their_seconds, 2)},
    )


def _ours(texts: list[str], questions: list[str]) -> tuple[list[list[int]], float]:
    analyser = load_analyser(format_analyser_name("english"))
    counts = analyse(analyser, dict(enumerate(texts)))
    terms, postings = invert(counts)
    blocks: dict[str, list[Block]] = {term: [] for term in terms}
    for number, _, block in encode(postings):
        blocks[terms[number]].append(block)
    statistics = Statistics(len(texts), sum(sum(item.values()) for item in counts.values()))
    started = time.perf_counter()
    found = []
    for question in questions:
        query = {term: count for term, count in Counter(analyser.extract_terms(question)).items() if term in blocks}
        frequencies = {term: sum(len(block.frequencies) for block in blocks[term]) for term in query}
        read = [(term, block) for term in query for block in blocks[term]]
        postings = weigh_postings(statistics, [term for term, _ in read], [block for _, block in read])
        scores = score(statistics, frequencies, query, postings)
        found.append(scores.best(10)[0].tolist())
    return found, time.perf_counter() - started


def _theirs(texts: list[str], questions: list[str]) -> tuple[list[list[int]], float]:
    stemmer = Stemmer.Stemmer("english")
    retriever = bm25s.BM25(k1=1.2, b=0.75, method="lucene")
    retriever.index(bm25s.tokenize(texts, stopwords="en", stemmer=stemmer, show_progress=False), show_progress=False)
    started = time.perf_counter()
    tokens = bm25s.tokenize(questions, stopwords="en", stemmer=stemmer, show_progress=False)
    found, _ = retriever.retrieve(tokens, k=10, show_progress=False)
    return [row.tolist() for row in found], time.perf_counter() - started


if __name__ == "__main__":
    main(Path(sys.argv[1]))
