"""Asks a language model: builds its prompt, streams its text, stops it, and records its cost.

`Writer` is the author of answers where a generator is configured; the other modules serve every step that asks a model.
"""
