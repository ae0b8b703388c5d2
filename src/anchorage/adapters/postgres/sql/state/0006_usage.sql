-- What each principal used of each model, by day (UTC). Processes add to the same rows.
CREATE TABLE anchorage.usage (
    principal         text NOT NULL,
    day               date NOT NULL,
    model             text NOT NULL,
    requests          bigint NOT NULL,
    prompt_tokens     bigint NOT NULL,
    completion_tokens bigint NOT NULL,
    cost              double precision NOT NULL,
    PRIMARY KEY (principal, day, model)
);
CREATE INDEX ON anchorage.usage (day);
