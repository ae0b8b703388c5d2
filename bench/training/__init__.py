"""Fits the models that the package carries as numbers."""
