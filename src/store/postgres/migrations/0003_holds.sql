-- Legal hold: which items must be kept, and what was removed or replaced of them since. No journey
-- reads `kept`; its keys are erased when the hold ends.

CREATE TABLE firedoor.holds (
    aggregate bytea NOT NULL,
    item bytea NOT NULL,
    PRIMARY KEY (aggregate, item)
);

CREATE TABLE firedoor.kept (
    slot bigint PRIMARY KEY,
    aggregate bytea NOT NULL,
    item bytea NOT NULL,
    class smallint NOT NULL,
    sealed bytea NOT NULL,
    idx bigint NOT NULL
);
CREATE INDEX kept_item ON firedoor.kept (aggregate, item);
