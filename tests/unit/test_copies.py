"""Passages that repeat a better one."""

from anchorage.chat.retrieval.copies import drop_copies
from anchorage.model import Hit

TEXT = (
    "The harbour of Ghent was opened in 1827, when the canal to the sea had been dug. It has three docks, of which the coal dock is the oldest. "
    "Ships from Antwerp and from Hull call there twice a week, and in winter the ice is broken every morning by the steamer of the town."
)


def hit(number: int, text: str) -> Hit:
    return Hit(str(number), f"d{number}", "v", "c", f"file:///{number}", "T", 0, len(text), 1 / number, text)


def test_a_copy_is_dropped_and_what_differs_in_a_number_or_a_sentence_stays() -> None:
    copy = TEXT.replace("Ghent was", "Ghent  was").upper()
    other_year = TEXT.replace("1827", "1828")
    longer = TEXT + " The lock was widened by the king, who came himself with all his ministers and two brass bands."
    hits = [hit(at, text) for at, text in enumerate((TEXT, copy, other_year, longer, "Bread.", "Bread!", ""), 1)]
    assert [item.chunk_id for item in drop_copies(hits)] == ["1", "3", "4", "5", "7"]
    assert drop_copies([]) == []
