"""Files that are text: plain text, Markdown, CSV, JSON, XML and notebooks.

Each module's `parse` is called by `kinds`, by name. Other wings use `encoding`, which makes text of bytes, and `xml.parse_tree`.
"""
