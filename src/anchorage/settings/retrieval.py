"""Settings of how passages are found, and where their vectors are kept."""

from __future__ import annotations

from pydantic import Field, SecretStr

from anchorage.settings.sections import Section


class RetrievalSettings(Section):
    """How passages are found."""

    k: int = Field(10, ge=1, le=100, description="passages per question")
    depth: int = Field(100, ge=10, le=1000, description="length of each ranking before fusion")
    dense_weight: float = Field(
        0.36, ge=0, le=1,
        description="share of the dense score in the fused one where both lists are as good as each other; how good each is, is measured",
    )  # fmt: skip
    queries: int = Field(
        1, ge=1, le=8, description="wordings of a question that are searched for; the generator finds all but the first"
    )
    ef_search: int = Field(120, ge=10, le=1000, description="pgvector's hnsw.ef_search")
    max_postings: int = Field(
        1_000_000, ge=10_000, description="index entries read per question; common words give way first"
    )
    kept_postings: int = Field(
        32 * 2**20, ge=0,
        description="bytes of a process' memory for the index entries that questions read last, so that the next one need not; 0 keeps none",
    )  # fmt: skip
    language: str = Field(
        "english", description="Snowball stemmer and stop words for new collections; `none` for neither"
    )


class VectorsSettings(Section):
    """Where the vectors of new collections are kept. Those of collections that are there stay where they are."""

    url: SecretStr | None = Field(
        None, description="a vector server, whose kind is the scheme of its URL; without one, Postgres with pgvector"
    )
    timeout: float = Field(5, gt=0, description="seconds for one request to the vector server")

    @property
    def kind(self) -> str:
        """The scheme of the URL; empty without one."""
        return self.url.get_secret_value().partition("://")[0].lower() if self.url else ""
