-- The tables of one index version; {id} is filled in by tables.py. Where vectors are in Postgres, chunks get a column for them.
CREATE TABLE anchorage.chunks_{id} (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    document_id  uuid NOT NULL REFERENCES anchorage.documents ON DELETE CASCADE,
    ordinal      integer NOT NULL,
    span_start   integer NOT NULL,
    span_end     integer NOT NULL,
    page         integer,
    heading_path text[] NOT NULL,
    header       text NOT NULL,
    text         text NOT NULL
);
CREATE INDEX ON anchorage.chunks_{id} (document_id);

-- One row for each transaction that changed the index; counters of a deletion are negative.
CREATE TABLE anchorage.segments_{id} (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    level    smallint NOT NULL DEFAULT 0,
    chunks   bigint NOT NULL,
    tokens   bigint NOT NULL,
    physical bigint NOT NULL                              -- chunks with postings here, dead ones included
);
CREATE TABLE anchorage.postings_{id} (
    term        text COLLATE "C" NOT NULL,
    segment     bigint NOT NULL,
    block       integer NOT NULL,
    df          integer NOT NULL,                         -- adds up over a term's rows; only block 0 carries it
    first_id    bigint NOT NULL,
    gaps        bytea NOT NULL,
    frequencies bytea NOT NULL,
    lengths     bytea NOT NULL,
    PRIMARY KEY (term, segment, block)
);
