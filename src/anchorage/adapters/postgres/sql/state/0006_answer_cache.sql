-- Answers given before. It may vanish at any time, so it is not logged: a crash of Postgres empties it.
CREATE UNLOGGED TABLE anchorage.answer_cache (
    scope      text NOT NULL,                             -- all that the answer depends on, but the question
    question   bytea NOT NULL,
    family     text NOT NULL,                             -- the scope without the state of the collections
    vector     bytea,                                     -- float16, of length 1; where questions that are alike count
    payload    jsonb NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (scope, question)
);
CREATE INDEX ON anchorage.answer_cache (family);
CREATE INDEX ON anchorage.answer_cache (expires_at);
