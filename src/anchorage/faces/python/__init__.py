"""The Python API with everything in this process: `Anchorage`. `anchorage.client` gives the same over HTTP."""

from anchorage.faces.python.anchorage import Anchorage

__all__ = ["Anchorage"]
