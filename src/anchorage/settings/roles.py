"""Roles of the system that run as processes of their own, and how they reach one another."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr, model_validator

from anchorage.settings.sections import Section


class RoleSettings(Section):
    """Roles behind HTTP. Without any, one process does everything."""

    only: Literal["chat", "retrieval", "ingest", "mcp"] | None = Field(
        None, description="what `anchorage serve` serves, and nothing else; also `serve --only`"
    )
    retrieval_url: str | None = Field(
        None,
        pattern="^https?://",
        description="where `serve --only retrieval` answers: it embeds questions and searches",
    )
    ingest_url: str | None = Field(
        None,
        pattern="^https?://",
        description="where `serve --only ingest` answers: it takes uploads, jobs and sources",
    )
    token: SecretStr | None = Field(
        None,
        min_length=16,
        description="the secret by which roles know one another, the same for all of them; needed where one of the addresses is set, "
        "and by `--only retrieval`",
    )
    connections: int = Field(100, ge=1, description="to each of the other roles at once")
    connect_timeout: float = Field(2, gt=0, description="seconds to reach another role")
    retrieval_timeout: float = Field(30, gt=0, description="seconds for one search, with its second attempt")
    silence: float = Field(300, gt=0, description="seconds without a word from the ingest role, after an upload too")

    @model_validator(mode="after")
    def _check_token(self) -> RoleSettings:
        if self.token is None and (self.retrieval_url or self.ingest_url or self.only == "retrieval"):
            raise ValueError(
                "ANCHORAGE_ROLES__TOKEN is missing. Roles know one another by it: set the same secret of 16 characters or more for all"
            )
        return self
