"""The golden set's form, how answers are judged, and how runs are compared."""

from dataclasses import replace
from pathlib import Path

import pytest

from anchorage.errors import BadRequest, Conflict
from anchorage.evaluation.gate.golden_set import GoldenQuestion, read_golden_set
from anchorage.evaluation.gate.judge import Verdict, judge_answer
from anchorage.evaluation.gate.run import GateComparison, GateRun, check_loss, compare_runs
from anchorage.model import Answer, Citation

GOOD = '{"id": "a", "question": "When?", "gold": ["1827", ["May", "June"]], "need": 1, "cite": ["x.txt"]}'


def read(folder: Path, *lines: str) -> list[GoldenQuestion]:
    (folder / "questions.jsonl").write_text("\n".join(lines), "utf-8")
    return read_golden_set(folder)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{", "not JSON"),
        ("[]", "no object"),
        ('{"id": "b", "question": "x", "gold": ["a"], "golden": 1}', "unknown: golden"),
        ('{"id": "b", "gold": ["a"]}', "`question` must be a text"),
        ('{"id": "b", "turns": ["x", 1], "gold": ["a"]}', "`turns`"),
        ('{"id": 1, "question": "x", "gold": ["a"]}', "`id` must be a text"),
        ('{"id": "b", "question": "x"}', "must_abstain"),
        ('{"id": "b", "question": "x", "gold": ["a"], "must_abstain": true}', "not both"),
        ('{"id": "b", "question": "x", "gold": ["a"], "need": 2}', "`need`"),
        ('{"id": "b", "question": "x", "gold": ["(a"]}', "no regular expression"),
        ('{"id": "b", "question": "x", "gold": [[]]}', "each group"),
        ('{"id": "b", "question": "x", "gold": "a"}', "`gold` must be a list"),
        (GOOD, "stands twice"),
    ],
)
def test_what_is_wrong_with_a_golden_set_is_told_with_its_line(tmp_path: Path, line: str, told: str) -> None:
    with pytest.raises(BadRequest, match=r"questions\.jsonl") as error:
        read(tmp_path, GOOD, line)
    assert told in error.value.message


def test_answers_are_judged(tmp_path: Path) -> None:
    (question,) = read(tmp_path, GOOD)
    cited = Citation(1, "c", "d", "v", "file:///dir/x.txt", "X", 0, 1, "q", "", "")
    answer = Answer("It was opened\nin **1827**. [1]", False, (cited,), (), "c", "m")
    assert judge_answer(question, answer) is Verdict.COMPLETE
    assert judge_answer(replace(question, need=2), answer) is Verdict.PARTLY
    assert judge_answer(question, replace(answer, citations=())) is Verdict.UNCITED
    assert judge_answer(question, replace(answer, answer="Never.")) is Verdict.WRONG
    assert judge_answer(question, replace(answer, abstained=True)) is Verdict.WRONGLY_ABSTAINED
    nothing = replace(question, gold=(), need=0, must_abstain=True)
    assert judge_answer(nothing, answer) is Verdict.WRONGLY_ANSWERED
    assert judge_answer(nothing, replace(answer, abstained=True)) is Verdict.RIGHTLY_ABSTAINED


def test_runs_are_compared_question_by_question() -> None:
    def run(**verdicts: Verdict) -> GateRun:
        return GateRun("now", "f", {}, dict.fromkeys(verdicts, "fact"), verdicts)

    found = compare_runs(
        run(a=Verdict.COMPLETE, b=Verdict.WRONG, c=Verdict.COMPLETE, gone=Verdict.COMPLETE),
        run(a=Verdict.PARTLY, b=Verdict.COMPLETE, c=Verdict.WRONG, new=Verdict.WRONG),
    )
    assert (found.compared, list(found.lost), list(found.won)) == (3, ["a", "c"], ["b"])
    assert found.loss == pytest.approx(1 / 3)
    check_loss(found, 0.4)
    with pytest.raises(Conflict, match="2 of 3 questions"):
        check_loss(found, 0.1)
    assert run(a=Verdict.COMPLETE).report() == {
        key: {"good": 1, "questions": 1, "complete": 1} for key in ("all", "fact")
    }


def test_the_chance_of_a_change_without_an_effect() -> None:
    assert GateComparison(20, ["x"] * 6, []).chance == pytest.approx(2 / 64)
    assert GateComparison(20, ["x"], ["y"]).chance == 1.0
    assert GateComparison(20, [], []).chance == 1.0
