"""Checks what a model wrote against the passages: which passages support each sentence, and which sentences have no support.

The step `Verifier.verify_answer` is called by the pipeline after a generator has written; evaluations and benches call `Verifier.verify_text`.
"""
