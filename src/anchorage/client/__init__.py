"""A client of a running Anchorage server: the verbs of the Python API over HTTP. It knows no other part of the package."""

from anchorage.client.client import Client

__all__ = ["Client"]
