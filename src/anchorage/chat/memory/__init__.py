"""The memory of a conversation: rewriting questions, the window and summary of a thread, and recalling earlier answers.

`Rewriter`, `AnswerRecall` and `Rememberer` are steps of the pipeline; `Summaries` runs in the background after a turn.
"""
