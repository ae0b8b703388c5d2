"""Anchorage: answers from your own documents, every sentence anchored to the passage it came from."""
