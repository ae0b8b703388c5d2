"""Answers without a model: the sentences of the passages that answer, as they stand, or the finding that none does.

`Quoter` is the author that `Answerer` has where no generator is configured. `SentenceVectors` serves verification, too.
"""
