"""What a message is, before anything is looked for: a question about the documents, or about the catalogue, small talk, or too vague to ask.

`IntentReplier` is the pipeline's second step. It answers what needs no passage, in English, German, French or Spanish; all else goes on.
"""
