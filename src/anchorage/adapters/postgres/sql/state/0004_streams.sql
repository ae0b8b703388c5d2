-- A conversation is a tree of turns with one active branch, of which `head` is the last turn. Turns follow their `parent`; 0 is the root.
-- `head_before` is what the head was before the last turn: a statement that adds one learns only what a row has become.
ALTER TABLE anchorage.conversations ADD COLUMN head integer NOT NULL DEFAULT 0, ADD COLUMN head_before integer NOT NULL DEFAULT 0;
ALTER TABLE anchorage.turns ADD COLUMN parent integer NOT NULL DEFAULT 0, ADD COLUMN stopped boolean NOT NULL DEFAULT false;
UPDATE anchorage.conversations SET head = turns;
UPDATE anchorage.turns SET parent = number - 1;

-- What a branch was about up to and including the turn `number`.
CREATE TABLE anchorage.summaries (
    conversation_id text NOT NULL REFERENCES anchorage.conversations ON DELETE CASCADE,
    number          integer NOT NULL,
    text            text NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (conversation_id, number)
);

-- The answer that is being streamed in a conversation, or was streamed last. Who holds it may write its events: `attempt` fences off a
-- holder that was given up and comes back, `last_n` numbers the events of the conversation.
CREATE TABLE anchorage.streams (
    conversation_id text PRIMARY KEY REFERENCES anchorage.conversations ON DELETE CASCADE,
    message_id      text NOT NULL,
    turn            integer NOT NULL,
    attempt         integer NOT NULL,
    first_n         bigint NOT NULL,                    -- the first event of this attempt
    last_n          bigint NOT NULL,                    -- the last event that was written
    request         jsonb,                              -- what was asked, for whoever takes over; null when it has ended
    holder          uuid,                               -- null: free to be taken
    ended           boolean NOT NULL DEFAULT false,
    answered        boolean NOT NULL DEFAULT false,
    stop            boolean NOT NULL DEFAULT false,
    read_at         timestamptz NOT NULL DEFAULT now(), -- when a process other than the holder last followed it for a client
    updated_at      timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);
CREATE INDEX ON anchorage.streams (holder) WHERE NOT ended;

-- Processes that hold streams, and when their heart beat last.
CREATE TABLE anchorage.stream_holders (
    id      uuid PRIMARY KEY,
    beat_at timestamptz NOT NULL
) WITH (fillfactor = 50);

-- The events, several to a row, a line each.
CREATE TABLE anchorage.events (
    conversation_id text NOT NULL REFERENCES anchorage.streams ON DELETE CASCADE,
    first_n         bigint NOT NULL,
    last_n          bigint NOT NULL,
    lines           text NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (conversation_id, last_n)
);
CREATE INDEX ON anchorage.events USING brin (created_at);
