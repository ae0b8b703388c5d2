-- An answer that is kept goes with the conversation in which it was given. None where the caller keeps the conversation.
ALTER TABLE anchorage.answer_cache ADD COLUMN conversation_id text REFERENCES anchorage.conversations (id) ON DELETE CASCADE;
CREATE INDEX ON anchorage.answer_cache (conversation_id);
