-- One row from a restore on, until the log says that the store was restored. `at` is the time in
-- ms of the last leaf in the copy.
CREATE TABLE firedoor.restored (
    one smallint PRIMARY KEY CHECK (one = 1),
    leaves bigint NOT NULL,
    at bigint NOT NULL,
    acknowledged bigint NOT NULL,
    origin text NOT NULL
);
