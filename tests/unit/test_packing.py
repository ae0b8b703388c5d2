from anchorage.chat.retrieval.packing import PackableHits
from anchorage.model import Hit


def _hit(number: int) -> Hit:
    text = f"The harbour of town {number} was opened in 1827, and painted by the guild of bread. " * 12
    return Hit(f"{number}.1", "d", "v", "c", "file:///t.txt", "t", 0, len(text), 0.5, text, heading_path=("A", "B"))


def test_packed_passages_read_as_before() -> None:
    hits = [_hit(number) for number in range(10)]
    passages = PackableHits(hits)
    passages.pack()
    passages.pack()
    assert list(passages) == hits and len(passages) == 10 and passages[3] == hits[3]
    passages.pack()
    assert list(passages[2:4]) == hits[2:4] and passages


def test_packing_lets_go_of_the_texts() -> None:
    import gc

    passages = PackableHits([_hit(7)])
    passages.pack()
    gc.collect()
    assert not any(isinstance(item, Hit) and item.chunk_id == "7.1" for item in gc.get_objects())


def test_nothing_found_stays_nothing() -> None:
    passages = PackableHits()
    passages.pack()
    assert not passages and list(passages) == []
