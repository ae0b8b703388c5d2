"""remember: keeps a turn, and answers questions about the conversation from what was kept."""

from __future__ import annotations

from collections.abc import Sequence

from anchorage.chat.state import ChatServices
from anchorage.model import Citation, Principal, Turn

ALL_TURNS = 1000


async def remember(
    services: ChatServices, principal: Principal, conversation_id: str, turn: Turn, *, begun: bool
) -> Turn:
    """Write the turn, then keep the text of the versions that it cites. Raises what `Memory.append` raises."""
    kept = await services.memory.append(principal, conversation_id, turn, begun=begun)
    if kept.citations:
        await services.store.keep_cited(principal, cited_versions(kept.citations))
    return kept


def cited_versions(citations: Sequence[Citation]) -> list[tuple[str, str]]:
    return sorted({(citation.document_id, citation.version) for citation in citations})


def recount(history: Sequence[Turn]) -> str:
    """What was asked so far, in plain words."""
    if not history:
        return "This conversation has just begun: you have not asked anything before this."
    questions = "\n".join(f"{number}. {turn.question}" for number, turn in enumerate(history, 1))
    plural = "question" if len(history) == 1 else "questions"
    return f"So far you have asked {len(history)} {plural} in this conversation:\n{questions}"
