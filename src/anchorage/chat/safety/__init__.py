"""Keeps harm out: guards questions and answers, neutralises markup, and keeps the prompt's instructions secret.

`TurnGuard` gives the pipeline its first step and its last but one, and checks the questions of searches and streams; the other modules are
called where foreign text is read or shown. `question.py` is called by every face that takes a question.
"""
