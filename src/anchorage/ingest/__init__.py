"""Ingestion: source -> fetch -> parse -> chunk -> embed -> store.

`pipeline` is that line, for one document and one index. `ingester` wraps it for many documents at once: it tries again where
others were faster, and records what failed. `sync`, `jobs` and `worker` do the same from the queue, `reindex` builds another
index from what is stored, and `removal` deletes. `wiring/ingest.py` builds them all, and the faces call what it built.
"""
