"""Keeping harm out: which questions and answers pass, what of a text is inert, and what stays secret.

`TurnGuard` gives the pipeline its first step and its last but one, and checks the questions of searches and streams; the other modules are
called where a stranger's text is read or shown. `question.py` is called by every face that takes a question.
"""
