-- The keys that wrap the keys of items, each itself wrapped under the slot key. A change of epoch
-- wraps every row of `slots` anew and then deletes the older epochs: with them goes what was erased.

CREATE TABLE firedoor_slots.epochs (
    epoch bigint PRIMARY KEY,
    -- Always of one length, so that what follows in a page covers what was before.
    wrapped bytea NOT NULL,
    -- How many items were erased before it began: destroyed when the epochs before it are.
    finishes bigint NOT NULL
);

-- 0: under the slot key itself, as the first version did.
ALTER TABLE firedoor_slots.slots ADD COLUMN epoch bigint NOT NULL DEFAULT 0;

-- The epoch of new rows; erased and not destroyed yet; when the newest change was completed, in ms
-- since 1970; which node is at it, and until when the others leave it alone.
ALTER TABLE firedoor_slots.twin ADD COLUMN epoch bigint NOT NULL DEFAULT 0;
ALTER TABLE firedoor_slots.twin ADD COLUMN erased bigint NOT NULL DEFAULT 0;
ALTER TABLE firedoor_slots.twin ADD COLUMN completed bigint NOT NULL DEFAULT 0;
ALTER TABLE firedoor_slots.twin ADD COLUMN turn bytea;
ALTER TABLE firedoor_slots.twin ADD COLUMN turn_until timestamptz NOT NULL
    DEFAULT timestamptz '1970-01-01 00:00:00+00';
