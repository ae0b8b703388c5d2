"""How long a token is, where nobody counted."""

CHARACTERS_PER_TOKEN = 4  # of English, roughly; budgets and limits that rest on it are no promise
