"""Measuring retrieval and answers on a judged set of questions."""
