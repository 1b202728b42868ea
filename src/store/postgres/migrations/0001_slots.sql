-- Item keys, each wrapped under the slot key. Deleting a row erases the item, so this database
-- must lie outside the backups of the other one.

CREATE TABLE firedoor_slots.twin (
    one smallint PRIMARY KEY CHECK (one = 1),
    id bytea NOT NULL,
    key_check bytea NOT NULL,
    -- The first number that no block has taken.
    next bigint NOT NULL
);

CREATE TABLE firedoor_slots.slots (
    slot bigint PRIMARY KEY,
    wrapped bytea NOT NULL
);
