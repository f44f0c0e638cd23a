-- Version 2. What a person's agents sent on the last day on which they sent anything.
CREATE TABLE record_quotas (
    source TEXT NOT NULL,
    key TEXT NOT NULL,
    -- Days since the Unix epoch.
    day INTEGER NOT NULL,
    records INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (source, key)
) STRICT, WITHOUT ROWID;
