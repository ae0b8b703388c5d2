-- Conversations: an insert-only table of turns.
CREATE TABLE anchorage.conversations (
    id         text PRIMARY KEY,
    owner      text NOT NULL,
    title      text NOT NULL,
    turns      integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON anchorage.conversations (owner, updated_at DESC);

CREATE TABLE anchorage.turns (
    conversation_id     text NOT NULL REFERENCES anchorage.conversations ON DELETE CASCADE,
    number              integer NOT NULL,
    message_id          text NOT NULL,
    question            text NOT NULL,
    answer              text NOT NULL,
    abstained           boolean NOT NULL,
    standalone_question text,
    citations           jsonb NOT NULL DEFAULT '[]',
    created_at          timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (conversation_id, number),
    UNIQUE (conversation_id, message_id)
);
