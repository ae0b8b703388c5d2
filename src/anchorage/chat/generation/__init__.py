"""Asking a language model: its prompt, the text it streams, stopping it, and what it cost.

`Writer` is the author that `Answerer` has where a generator is configured; the other modules serve every step that asks a model.
"""
