-- Sources that are kept in sync, and the jobs that users see. procrastinate delivers a job to a worker; this table says what became of it.
CREATE TABLE anchorage.sources (
    id               uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    owner            text NOT NULL,
    collection       text NOT NULL,
    location         text NOT NULL,
    options          jsonb NOT NULL DEFAULT '{}',
    interval_seconds integer,                           -- null: on demand only
    status           text NOT NULL DEFAULT 'new',       -- new | syncing | synced | held | failed
    error_code       text,
    error_message    text,
    report           jsonb NOT NULL DEFAULT '{}',       -- what the last sync found
    created_at       timestamptz NOT NULL DEFAULT now(),
    synced_at        timestamptz,
    next_sync_at     timestamptz,
    UNIQUE (owner, collection, location)
);

CREATE TABLE anchorage.jobs (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    owner         text NOT NULL,
    kind          text NOT NULL,                        -- ingest | sync
    lane          text NOT NULL,                        -- jobs of one lane share; lanes get fair turns
    priority      smallint NOT NULL,
    collection    text NOT NULL,
    uri           text NOT NULL,
    name          text NOT NULL,
    blob_key      text,
    source_id     uuid REFERENCES anchorage.sources ON DELETE CASCADE,
    tag           text,
    confirmed     boolean NOT NULL DEFAULT false,       -- a sync that may delete as much as it finds gone
    status        text NOT NULL DEFAULT 'waiting',      -- waiting | released | running | done | failed | cancelled
    run           integer NOT NULL DEFAULT 0,           -- fences off a worker that was given up and comes back
    attempts      integer NOT NULL DEFAULT 0,
    losses        integer NOT NULL DEFAULT 0,           -- attempts that ended with the death of their worker
    delivery      bigint,                               -- procrastinate's job
    not_before    timestamptz NOT NULL DEFAULT now(),
    done          integer,
    total         integer,
    document_id   text,
    error_code    text,
    error_message text,
    created_at    timestamptz NOT NULL DEFAULT now(),
    started_at    timestamptz,
    finished_at   timestamptz,
    updated_at    timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX ON anchorage.jobs (lane, priority DESC, id) WHERE status = 'waiting';
CREATE INDEX ON anchorage.jobs (lane) WHERE status IN ('released', 'running');
CREATE INDEX ON anchorage.jobs (delivery) WHERE status IN ('released', 'running');
CREATE INDEX ON anchorage.jobs (owner, id DESC);
CREATE INDEX ON anchorage.jobs (updated_at);
CREATE INDEX ON anchorage.jobs (source_id);
-- One waiting job is enough for a document of a source, and for the sync of a source.
CREATE UNIQUE INDEX jobs_pending ON anchorage.jobs (source_id, kind, md5(uri)) WHERE status = 'waiting' AND source_id IS NOT NULL;
