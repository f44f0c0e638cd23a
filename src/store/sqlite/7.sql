-- Version 7. The teams of a GitHub organization with their members by number, and whose account each is. Times as
-- everywhere; team 0 is the organization itself.
CREATE TABLE teams (
    source TEXT NOT NULL,
    id INTEGER NOT NULL,
    -- As the policy names it.
    name TEXT NOT NULL,
    PRIMARY KEY (source, id)
) STRICT, WITHOUT ROWID;

-- Of everybody, also of accounts that are nobody's here: whose they are can become known later.
CREATE TABLE team_members (
    source TEXT NOT NULL,
    account INTEGER NOT NULL,
    team INTEGER NOT NULL,
    PRIMARY KEY (source, account, team)
) STRICT, WITHOUT ROWID;
CREATE INDEX team_members_by_team ON team_members (source, team, account);

CREATE TABLE accounts (
    source TEXT NOT NULL,
    -- The stable key, as in `people`.
    key TEXT NOT NULL,
    account INTEGER NOT NULL,
    PRIMARY KEY (source, key),
    UNIQUE (source, account)
) STRICT, WITHOUT ROWID;

CREATE TABLE team_readings (
    source TEXT NOT NULL PRIMARY KEY,
    -- When all was read to its end; NULL: never.
    read_at_ms INTEGER,
    -- The last event.
    heard_at_ms INTEGER,
    -- Why it could not be read since, and since when.
    fault TEXT,
    fault_at_ms INTEGER
) STRICT, WITHOUT ROWID;
