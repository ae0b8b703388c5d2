-- What a collection's other index versions hold: the live one always holds the current version of every document.
CREATE TABLE anchorage.index_documents (
    index_id    integer NOT NULL REFERENCES anchorage.index_versions ON DELETE CASCADE,
    document_id uuid NOT NULL REFERENCES anchorage.documents ON DELETE CASCADE,
    version     text NOT NULL,
    chunks      integer NOT NULL,
    PRIMARY KEY (index_id, document_id)
);
CREATE INDEX ON anchorage.index_documents (document_id);
CREATE INDEX ON anchorage.index_versions (collection_id);
-- The structure of a text, so that it can be cut anew without its file: [[kind, start, end, level], ...]. Null: written before.
ALTER TABLE anchorage.document_texts ADD COLUMN blocks jsonb;
