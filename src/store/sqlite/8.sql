-- Version 8. How each directory is known, and what the readings of those came to that are read. `state` is JSON.
ALTER TABLE directory_users ADD COLUMN kind TEXT NOT NULL DEFAULT 'scim';

CREATE TABLE directory_polls (
    source TEXT NOT NULL PRIMARY KEY,
    -- When the last reading began that was whole and is written.
    as_of_ms INTEGER,
    state TEXT NOT NULL
) STRICT, WITHOUT ROWID;
