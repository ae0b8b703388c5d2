"""Sources: where documents come from. Each wing implements the `Source` port for one family, and wiring opens it by a location.

`bodies` and `names` are what the wings share: answers over HTTP within a limit, and texts of strangers made fit to keep.
"""
