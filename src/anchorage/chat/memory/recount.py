"""recount: answers questions about the conversation itself from its turns."""

from __future__ import annotations

from collections.abc import Sequence

from anchorage.model import Turn

ALL_TURNS = 1000


def recount_questions(history: Sequence[Turn]) -> str:
    """Say in plain words what was asked so far."""
    if not history:
        return "This conversation has just begun: you have not asked anything before this."
    questions = "\n".join(f"{number}. {turn.question}" for number, turn in enumerate(history, 1))
    plural = "question" if len(history) == 1 else "questions"
    return f"So far you have asked {len(history)} {plural} in this conversation:\n{questions}"
