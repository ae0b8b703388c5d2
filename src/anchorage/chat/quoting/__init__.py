"""Answers without a model: quotes the sentences of the passages that answer, or finds that none does.

`Quoter` is the author of answers where no generator is configured. `SentenceVectors` serves verification, too.
"""
