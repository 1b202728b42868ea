-- The log, the records and what decisions rest on. Names of things are keyed hashes, contents are
-- ciphertext: without the gateway's keys nothing here says anything about a person.

-- The tree head. Every commit holds this row's lock from its first statement to its end.
CREATE TABLE firedoor.head (
    one smallint PRIMARY KEY CHECK (one = 1),
    size bigint NOT NULL,
    checkpoint text NOT NULL,
    -- Names the one slots database that belongs to this one.
    twin bytea NOT NULL,
    -- Shows a wrong index key at start, before it makes every aggregate look unwritten.
    key_check bytea NOT NULL
);

-- Who may try next when several nodes want the head. It only saves retries.
CREATE TABLE firedoor.turn (
    one smallint PRIMARY KEY CHECK (one = 1)
);
INSERT INTO firedoor.turn (one) VALUES (1);

CREATE TABLE firedoor.leaves (
    idx bigint PRIMARY KEY,
    leaf bytea NOT NULL,
    opening bytea NOT NULL
);

-- Complete hash tiles only (C2SP tlog-tiles); what is not complete follows from the rows below it.
CREATE TABLE firedoor.tiles (
    level smallint NOT NULL,
    idx bigint NOT NULL,
    root bytea NOT NULL,
    hashes bytea NOT NULL,
    PRIMARY KEY (level, idx)
);

CREATE TABLE firedoor.aggregates (
    key bytea PRIMARY KEY,
    version bigint NOT NULL
);

-- class 255 is a fact.
CREATE TABLE firedoor.items (
    aggregate bytea NOT NULL,
    item bytea NOT NULL,
    class smallint NOT NULL,
    slot bigint NOT NULL,
    sealed bytea NOT NULL,
    idx bigint NOT NULL,
    PRIMARY KEY (aggregate, item, class)
);

-- Keys of removed items that are still to be deleted in the slots database.
CREATE TABLE firedoor.erasures (
    slot bigint PRIMARY KEY
);

-- `at` is shifted by 2^63 so that unsigned order is kept.
CREATE TABLE firedoor.lists (
    list bytea NOT NULL,
    at bigint NOT NULL,
    idx bigint NOT NULL,
    item bytea NOT NULL,
    PRIMARY KEY (list, at, idx, item)
);
CREATE INDEX lists_item ON firedoor.lists (list, item);

-- `at` is the time in ms of the leaf that counted last.
CREATE TABLE firedoor.counters (
    key bytea PRIMARY KEY,
    count bigint NOT NULL,
    at bigint NOT NULL
);
CREATE INDEX counters_at ON firedoor.counters (at);

CREATE TABLE firedoor.replays (
    key bytea PRIMARY KEY,
    request bytea NOT NULL,
    until bigint NOT NULL,
    idx bigint NOT NULL,
    reply bytea NOT NULL
);
CREATE INDEX replays_until ON firedoor.replays (until);
