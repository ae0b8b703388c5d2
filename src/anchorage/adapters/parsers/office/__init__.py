"""Office documents: Word, PowerPoint, Excel, OpenDocument and rich text, old formats and new ones.

Each module reads one family with its `parse`, which `kinds` calls by name; `charts` and `compound` are what several of them
share. `compound` also takes the password off a protected file, before its kind is known.
"""
