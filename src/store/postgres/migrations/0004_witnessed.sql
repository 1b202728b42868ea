-- Heads of the log with the words of witnesses below them. They prove themselves, so nothing rests on
-- this table: a head that is lost is cosigned again. `quorum` once enough witnesses had signed it.
CREATE TABLE firedoor.witnessed (
    origin text NOT NULL,
    size bigint NOT NULL,
    note text NOT NULL,
    quorum boolean NOT NULL,
    PRIMARY KEY (origin, size)
);

-- Proofs that the log has gone back or was forked: what was shown, and the log's own head of then.
-- Nothing deletes them.
CREATE TABLE firedoor.evidence (
    id bytea PRIMARY KEY,
    shown text NOT NULL,
    own text NOT NULL
);
