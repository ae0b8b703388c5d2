"""What a turn knows of the turns before, and what is kept of it: rewriting, the window and summary of a thread, answers given before.

`Rewriter`, `AnswerRecall` and `Rememberer` are steps of the pipeline; `Summaries` runs in the background after a turn.
"""
