"""E-mail: MIME messages and mailboxes (`mime`), and Outlook's own files (`msg`).

`kinds` calls their `parse` by name. Attachments go back through `reading.Members`, to the parser of their kind.
"""
