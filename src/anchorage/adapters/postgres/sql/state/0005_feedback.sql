-- How each answer came about, and what people think of answers. A rating keeps the answer as it was rated; it goes with its conversation.
ALTER TABLE anchorage.turns ADD COLUMN trace jsonb NOT NULL DEFAULT '{}';

CREATE TABLE anchorage.feedback (
    conversation_id     text NOT NULL REFERENCES anchorage.conversations ON DELETE CASCADE,
    message_id          text NOT NULL,
    owner               text NOT NULL,
    rating              smallint NOT NULL CHECK (rating IN (-1, 1)),
    comment             text NOT NULL DEFAULT '',
    question            text NOT NULL,
    standalone_question text,
    answer              text NOT NULL,
    abstained           boolean NOT NULL,
    citations           jsonb NOT NULL,
    trace               jsonb NOT NULL,
    created_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (conversation_id, message_id)
);
CREATE INDEX ON anchorage.feedback (owner, created_at DESC);
