"""scale: what a cosine of an embedder means. One calls .75 what has nothing to do with a question, another .05.

Measured once on questions with their answers, so that the ranker works with any embedder: the mean of those that do not belong together
becomes 0, that of those that do becomes 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_PAIRS = (
    ("When was the old stone bridge over the river built?", "The stone bridge was built between 1894 and 1897."),
    ("Who wrote the national anthem?", "The words of the anthem are by the poet Anna Berg, the music by her brother."),
    ("How do I restart the service after an update?", "After updating, run the restart command so that the service loads the new version."),
    ("What is a mortgage?", "A mortgage is a loan for which a house is the security."),
    ("How many people live in the capital?", "The capital has about 260,000 inhabitants."),
    ("Why do leaves turn red in autumn?", "In autumn the green pigment breaks down, and the red of other pigments shows."),
    ("Can I return the shoes without a receipt?", "Goods are taken back within 30 days only with the original receipt."),
    ("Which symptoms does the flu have?", "Influenza begins with fever, a sore throat, headache and aching muscles."),
    ("Where does the train to the airport leave?", "Airport trains depart from platform 4 of the central station."),
    ("What did the court decide about the patent?", "The judges held that the patent was invalid since the method was known before."),
    ("What is the total amount due?", "Total: $821.14"),
    ("Which file holds the settings of the database?", "The database reads its configuration from postgresql.conf."),
)  # fmt: skip
QUESTIONS, ANSWERS = tuple(question for question, _ in _PAIRS), tuple(answer for _, answer in _PAIRS)
_LEAST_RANGE = 0.02


@dataclass(frozen=True, slots=True)
class CosineScale:
    """The mean cosine of texts that have nothing to do with each other, and of questions and their answers."""

    unrelated: float
    related: float

    def normalise(self, cosines: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return cosines on the common scale: 0 is unrelated, 1 is an answer."""
        scaled: NDArray[np.float32] = ((cosines - self.unrelated) / (self.related - self.unrelated)).astype(np.float32)
        return scaled


def measure_scale(questions: NDArray[np.float32], answers: NDArray[np.float32]) -> CosineScale:
    """Measure an embedder by its vectors of `QUESTIONS` and `ANSWERS`, shape (pairs, dimension)."""
    cosines = questions @ answers.T
    own = np.eye(len(cosines), dtype=np.bool_)
    unrelated, related = float(cosines[~own].mean()), float(cosines[own].mean())
    return CosineScale(unrelated, max(related, unrelated + _LEAST_RANGE))
