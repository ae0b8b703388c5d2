"""How much the neighbours and the words of a question are trusted."""

import numpy as np
import pytest
from numpy.typing import NDArray

from anchorage.adapters.postgres.lexical.lexical_search import QuestionTerms
from anchorage.adapters.postgres.search.reliability import weigh_neighbours

COUNT = 40
ALL = np.ones(COUNT, dtype=np.bool_)
SHARE = 0.4


def _falling() -> NDArray[np.float32]:
    """Scores with the first passage far ahead; the rest fall to nought."""
    scores = np.linspace(0.6, 0, COUNT, dtype=np.float32)
    scores[0] = 1
    return scores


def _opposite() -> NDArray[np.float32]:
    """The same passages the other way round."""
    return _falling()[::-1].copy()


def _weigh(near: NDArray[np.float32], words: NDArray[np.float32], known: float, share: float = SHARE) -> float:
    return weigh_neighbours(near, words, ALL, words > 0, QuestionTerms(7, known), share)


def test_lists_that_agree_share_about_equally() -> None:
    assert _weigh(_falling(), _falling(), known=1.0) == pytest.approx(SHARE, abs=0.1)


def test_neighbours_that_disagree_with_known_words_count_for_little() -> None:
    """An embedder that does not know the language ranks at random."""
    assert _weigh(_falling(), _opposite(), known=1.0) < SHARE / 2


def test_words_that_are_unknown_count_for_little() -> None:
    """A question in another language than the passages."""
    assert _weigh(_falling(), _opposite(), known=0.05) > _weigh(_falling(), _opposite(), known=1.0) + 0.15


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_share_of_all_or_nothing_is_kept(share: float) -> None:
    assert _weigh(_falling(), _opposite(), known=1.0, share=share) == share


def test_beside_an_empty_list_the_other_counts_alone() -> None:
    none = np.zeros(COUNT, dtype=np.float32)
    assert _weigh(_falling(), none, known=0.0) == 1
    assert weigh_neighbours(none, _falling(), ~ALL, ALL, QuestionTerms(7, 1.0), SHARE) == 0


def test_scores_that_do_not_vary_are_no_error() -> None:
    flat = np.ones(COUNT, dtype=np.float32)
    assert 0 < _weigh(flat, flat, known=1.0) < 1
