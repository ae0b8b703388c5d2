-- Registered sources that list a document beside the one it belongs to (documents.source_id): it stays until the last of them loses it.
CREATE TABLE anchorage.document_claims (
    document_id uuid NOT NULL REFERENCES anchorage.documents ON DELETE CASCADE,
    source_id   text NOT NULL,
    PRIMARY KEY (document_id, source_id)
);
CREATE INDEX ON anchorage.document_claims (source_id);
