-- Names lie under one more key, number 0 in the slots database, and this tells it from another. Null in
-- a database that an earlier version began, whose names lie under the index key alone.
ALTER TABLE firedoor.head ADD COLUMN names_check bytea;
