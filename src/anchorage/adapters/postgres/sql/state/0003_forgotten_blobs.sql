CREATE INDEX ON anchorage.jobs (md5(uri));
CREATE INDEX ON anchorage.jobs (blob_key) WHERE blob_key IS NOT NULL;

-- Original bytes that something has let go of. They are deleted later, if nothing has taken them up by then: a file that was moved is
-- let go of under its old name while it is being read under the new one.
CREATE TABLE anchorage.forgotten_blobs (
    key   text PRIMARY KEY,
    since timestamptz NOT NULL DEFAULT now()
);
