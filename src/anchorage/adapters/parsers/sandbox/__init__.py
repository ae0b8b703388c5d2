"""Parsing in a process of its own, so that a hostile file harms nothing else.

`parser` implements the `Parser` port and is opened by wiring. It starts `child` with `python -m`, which takes what a parser does
not need from itself and then calls `reading`.
"""
