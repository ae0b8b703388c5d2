"""language: tells where an embedder does not know the language of a document, so that only the words of a question find it."""

from __future__ import annotations

import re

from anchorage.model import EmbedderSpec
from anchorage.telemetry import record_degradation
from anchorage.text.languages import detect_language, load_language
from anchorage.text.question_language import is_in_latin_script

_LOOKED_AT = 4000  # characters of a document
# By what their publishers say of them; a server's name may stand before, and a tag behind.
_ENGLISH_ONLY = re.compile(
    r"(?:.*[/:])?(?:all-minilm\b|all-mpnet|multi-qa-|bge-(?:small|base|large)-en|gte-(?:small|base|large)\b|e5-(?:small|base|large)(?!-multi)|"
    r"nomic-embed-text\b(?!-v2)|mxbai-embed-large|snowflake-arctic-embed\b(?!2|-l-v2|-m-v2))", re.IGNORECASE
)  # fmt: skip


def warn_of_unknown_language(text: str, embedder: EmbedderSpec, collection: str) -> str | None:
    """Return what to tell about a document in a language that the embedder of its collection does not know; None where all is well."""
    if not _ENGLISH_ONLY.match(embedder.name):
        return None
    sample = text[:_LOOKED_AT]
    language = detect_language(sample, load_language("english")).name
    if language in ("english", "none") and is_in_latin_script(sample):
        return None
    named = (
        f"It is in {language.capitalize()}"
        if language not in ("english", "none")
        else "Its script is not the Latin one"
    )
    told = (
        f"{named}, and {embedder.name}, the embedder of the collection {collection!r}, knows English only: questions find it by its words alone. "
        f"Give it a multilingual one: `anchorage reindex {collection} --embedder multilingual-e5-small`."
    )
    record_degradation("language_unknown_to_embedder", told)
    return told
