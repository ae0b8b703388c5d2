"""Confluence spaces as a source, on Cloud or Data Center.

`source` implements the `Source` port and is opened by wiring. It asks through `api`, which has a class for each of Confluence's
two HTTP APIs; `client` sends the requests, and `answers` reads what comes back without trust in its shape.
"""
