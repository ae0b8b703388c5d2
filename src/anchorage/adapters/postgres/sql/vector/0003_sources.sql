-- What the source said of a document's bytes when they were read, and which registered source it belongs to.
ALTER TABLE anchorage.documents ADD COLUMN tag text, ADD COLUMN source_id text;
CREATE INDEX ON anchorage.documents (source_id) WHERE source_id IS NOT NULL;
