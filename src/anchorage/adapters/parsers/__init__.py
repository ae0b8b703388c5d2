"""Parsers: a file's bytes in, text with structure and offsets out.

`sandbox/` is the door, which wiring opens. Its child process calls `reading`, which asks `kinds` for the parser of a file and
runs it. The wings hold the parsers by family of formats; what they share lies here: `builder`, `rows`, `archive`, `task`. A new
format is a module with a function `parse` in its wing, and a line in `kinds`.
"""
