"""Asking: a question becomes an answer whose every sentence is anchored.

`pipeline.py` is the list of steps, `state.py` the data that goes from one to the next, `turn.py` the use case that the faces call. A step
is a small object of one of the wings, built in `wiring/chat.py` with just what it needs.
"""
