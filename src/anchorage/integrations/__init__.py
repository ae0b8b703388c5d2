"""Retrievers for other frameworks: `langchain` and `llamaindex`. Each needs its framework, and loads only when it is asked for."""
