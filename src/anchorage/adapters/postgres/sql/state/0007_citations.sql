-- Sentences of an answer that no passage supports.
ALTER TABLE anchorage.turns ADD COLUMN unsupported jsonb NOT NULL DEFAULT '[]';
