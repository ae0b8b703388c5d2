"""cite: turns the statements of an answer into citations that anybody can check."""

from __future__ import annotations

from collections.abc import Sequence

from anchorage.chat.state import Statement, TurnContext, TurnState
from anchorage.model import Citation, Principal
from anchorage.model.search import Span
from anchorage.ports.catalog import Catalog


class Citer:
    """Resolves statements against the stored text of their document versions. A passage is a verbatim piece of that text."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    async def cite_statements(self, state: TurnState, context: TurnContext) -> TurnState:
        """Cite the statements of the answer."""
        keep = context.history is None  # where the caller keeps the conversation, nothing is kept here
        return {"citations": await self.resolve_citations(context.principal, state["statements"], keep=keep)}

    async def resolve_citations(
        self, principal: Principal, statements: Sequence[Statement], *, keep: bool = False
    ) -> list[Citation]:
        """Return one citation a statement. A statement whose document was deleted meanwhile is left out.

        `keep`: the citations are kept, so the text that they point at must be kept too.
        """
        spans = [
            Span(hit.document_id, hit.version, hit.start + item.start, hit.start + item.end, hit.text, hit.start)
            for item in statements
            for hit in (item.hit,)
        ]
        excerpts = await self._catalog.excerpts(principal, spans, keep=keep) if spans else []
        return [
            Citation(
                marker=item.marker, claim=item.claim, document_id=span.document_id, version=span.version, uri=item.hit.uri,
                title=item.hit.title, start=span.start, end=span.end, quote=excerpt.quote, prefix=excerpt.prefix,
                suffix=excerpt.suffix, page=excerpt.page, kind=item.kind,
                heading_path=item.hit.heading_path if item.heading_path is None else item.heading_path,
            )
            for item, span, excerpt in zip(statements, spans, excerpts, strict=True)
            if excerpt is not None
        ]  # fmt: skip
