"""run: asks a golden set, and compares what came with the last accepted run."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from math import comb
from pathlib import Path
from typing import Any, Protocol

from anchorage.errors import BadRequest, Conflict
from anchorage.evaluation.gate.golden_set import FILE, GoldenQuestion
from anchorage.evaluation.gate.judge import Verdict, judge_answer
from anchorage.model import Answer

ACCEPTED, LAST = "accepted.json", "last.json"
Progress = Callable[[int, int], None]


class Asked(Protocol):
    """What a golden set is asked."""

    async def ask_turns(self, turns: Sequence[str], collection: str | None) -> Answer:
        """The answer to the last of these, in a conversation of their own that is not kept."""
        ...


@dataclass(frozen=True, slots=True)
class GateRun:
    """The verdicts of a golden set by the id of the question, and what they were reached with."""

    at: str
    fingerprint: str
    made_with: Mapping[str, Any]
    kinds: Mapping[str, str]
    verdicts: Mapping[str, Verdict]

    def report(self) -> dict[str, dict[str, int]]:
        """How many questions of each kind came to which verdict, and of all."""
        counts: dict[str, Counter[str]] = {"all": Counter()}
        for key, verdict in self.verdicts.items():
            for kind in ("all", self.kinds[key]):
                counts.setdefault(kind, Counter()).update(
                    ("questions", "good") if verdict.is_good else ("questions",),
                )
                counts[kind][verdict.value] += 1
        return {kind: {"good": 0, **found} for kind, found in counts.items()}


@dataclass(frozen=True, slots=True)
class GateComparison:
    """What a run lost and won against the accepted one, of the questions that both asked."""

    compared: int
    lost: Sequence[str]
    won: Sequence[str]

    @property
    def loss(self) -> float:
        """Share of the questions that were lost, less those that were won; negative where more were won."""
        return (len(self.lost) - len(self.won)) / self.compared if self.compared else 0.0

    @property
    def chance(self) -> float:
        """The probability that a change of no effect loses and wins so unevenly: the sign test (Dixon and Mood, 1946), two-sided."""
        changed, fewer = len(self.lost) + len(self.won), min(len(self.lost), len(self.won))
        return min(1.0, 2 * sum(comb(changed, at) for at in range(fewer + 1)) / 2**changed) if changed else 1.0


def make_fingerprint(made_with: Mapping[str, Any], folder: Path) -> str:
    """Of all that answers depend on, the golden set included."""
    given = json.dumps(made_with, sort_keys=True, default=str).encode() + (folder / FILE).read_bytes()
    return sha256(given).hexdigest()


async def ask_golden_set(
    api: Asked,
    questions: Sequence[GoldenQuestion],
    made_with: Mapping[str, Any],
    fingerprint: str,
    *,
    at_once: int,
    progress: Progress,
) -> GateRun:
    """Ask every question in a conversation of its own, which is deleted at the end. Raises what answering raises."""
    verdicts: dict[str, Verdict] = {}
    gate = asyncio.Semaphore(at_once)

    async def ask(question: GoldenQuestion) -> None:
        async with gate:
            verdicts[question.id] = judge_answer(question, await api.ask_turns(question.turns, question.collection))
            progress(len(verdicts), len(questions))

    async with asyncio.TaskGroup() as group:
        for question in questions:
            group.create_task(ask(question))
    return GateRun(
        datetime.now(UTC).isoformat(timespec="seconds"), fingerprint, made_with,
        {item.id: item.kind for item in questions}, {item.id: verdicts[item.id] for item in questions},
    )  # fmt: skip


def compare_runs(accepted: GateRun, new: GateRun) -> GateComparison:
    """Compare two runs question by question."""
    both = [key for key in new.verdicts if key in accepted.verdicts]
    lost = [key for key in both if accepted.verdicts[key].is_good and not new.verdicts[key].is_good]
    won = [key for key in both if new.verdicts[key].is_good and not accepted.verdicts[key].is_good]
    return GateComparison(len(both), lost, won)


def check_loss(found: GateComparison, most: float) -> None:
    """Raise `Conflict` where more was lost than `most`, as a share of the questions."""
    if found.loss > most:
        raise Conflict(
            f"{len(found.lost)} of {found.compared} questions are no longer answered rightly and {len(found.won)} are for the first time: "
            f"a loss of {found.loss:.1%}, and {most:.1%} is allowed (ANCHORAGE_GATE__MAX_LOSS). Lost: {', '.join(found.lost[:20])}. "
            "Mend it, or accept this run with --accept."
        )


def read_run(folder: Path, name: str) -> GateRun | None:
    """A stored run; None where there is none. Raises `BadRequest` for a damaged file."""
    path = folder / name
    try:
        found = json.loads(path.read_text("utf-8"))
        verdicts = {key: Verdict(value) for key, value in found["verdicts"].items()}
        return GateRun(found["at"], found["fingerprint"], found["made_with"], found["kinds"], verdicts)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise BadRequest(f"{path} is damaged ({error}). Delete it; the next run is accepted in its place.") from error


def write_run(folder: Path, name: str, run: GateRun) -> None:
    """Store a run: whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    stored = {
        "at": run.at, "fingerprint": run.fingerprint, "made_with": run.made_with, "report": run.report(), "kinds": run.kinds,
        "verdicts": run.verdicts,
    }  # fmt: skip
    text = json.dumps(stored, ensure_ascii=False, indent=1, default=str)
    new = folder / f"{name}.new"
    new.write_text(text + "\n", "utf-8")
    new.replace(folder / name)
