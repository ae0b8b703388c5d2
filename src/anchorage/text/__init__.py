"""Pure functions on text that indexing and answering share. Imports nothing of the package but `errors`."""
