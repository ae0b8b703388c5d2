"""Retrieval metrics against values worked out by hand."""

import pytest

from anchorage.evaluation.metrics import contains_answer, ndcg, percentiles, recall, reciprocal_rank


def test_metrics() -> None:
    relevant = {"a": 1, "b": 1}
    assert ndcg(["a", "b"], relevant, 10) == 1
    assert ndcg(["x", "a", "y", "b"], relevant, 10) == pytest.approx((0.6309298 + 0.4306766) / 1.6309298)
    assert ndcg(["x"] * 10 + ["a"], relevant, 10) == 0
    assert recall(["a", "x"], relevant, 10) == 0.5
    assert reciprocal_rank(["x", "b"], relevant, 10) == 0.5
    assert reciprocal_rank(["x"], relevant, 10) == 0
    assert ndcg(["a"], {"a": 2, "b": 1}, 10) == pytest.approx(2 / (2 + 0.6309298))


def test_containment_ignores_case_and_spacing() -> None:
    assert contains_answer("It was in  NEW\nYork.", ["new york"])
    assert not contains_answer("York", ["new york"])


def test_percentiles() -> None:
    assert percentiles([0.001] * 99 + [1.0])["p50"] == 1.0
    assert percentiles([]) == {}
