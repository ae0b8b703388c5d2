-- Collections with their access lists, documents and the extracted text of their versions.
CREATE TABLE anchorage.collections (
    id         integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text NOT NULL UNIQUE,
    kind       text NOT NULL DEFAULT 'user',            -- user | docs | eval
    owner      text NOT NULL,
    readers    text[] NOT NULL,                         -- 'user:<id>', 'group:<name>'
    created_at timestamptz NOT NULL DEFAULT now()
);

-- Everything that decides an index. Each version has tables of its own: chunks_<id>, postings_<id>, segments_<id>.
CREATE TABLE anchorage.index_versions (
    id            integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    collection_id integer NOT NULL REFERENCES anchorage.collections ON DELETE CASCADE,
    spec          jsonb NOT NULL,
    live          boolean NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX ON anchorage.index_versions (collection_id) WHERE live;

CREATE TABLE anchorage.documents (
    id            uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    collection_id integer NOT NULL REFERENCES anchorage.collections ON DELETE CASCADE,
    uri           text NOT NULL,
    title         text NOT NULL,
    status        text NOT NULL,
    version       text,                                 -- null until a version is indexed
    chunks        integer NOT NULL DEFAULT 0,
    error_code    text,
    error_message text,
    media_type    text,
    blob_key      text,
    size          bigint NOT NULL DEFAULT 0,
    metadata      jsonb NOT NULL DEFAULT '{}',
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now()
);
-- A B-tree entry is limited to 2,704 bytes, and a uri is not.
CREATE UNIQUE INDEX documents_uri ON anchorage.documents (collection_id, md5(uri));

CREATE TABLE anchorage.document_texts (
    document_id uuid NOT NULL REFERENCES anchorage.documents ON DELETE CASCADE,
    version     text NOT NULL,
    text        text NOT NULL,
    pages       jsonb NOT NULL,                         -- [[number, start, end], ...]
    cited       boolean NOT NULL DEFAULT false,         -- kept when the document is replaced
    PRIMARY KEY (document_id, version)
);
CREATE INDEX ON anchorage.documents (blob_key) WHERE blob_key IS NOT NULL;
