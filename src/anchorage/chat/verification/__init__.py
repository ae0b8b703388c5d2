"""Holding what a model wrote against the passages: which of them supports each sentence, and what nothing supports.

The step `Verifier.verify_answer` is called by the pipeline, after a generator wrote; evaluations and benches call `Verifier.verify_text`.
"""
