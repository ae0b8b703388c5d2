"""The composition root: settings in, services out. The only part that names adapters.

Import from its modules: `services` opens everything, `databases` enough to migrate, and each of the others one kind of part.
"""
