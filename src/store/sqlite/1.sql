-- Version 1. Times end in _ms (Unix milliseconds) or _s (Unix seconds). Lists and events are JSON.

-- The organization, the generation of the feed, the digest of the policy, and up to where feed and
-- audit log, and the records of agents, were pruned.
CREATE TABLE meta (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE people (
    id INTEGER PRIMARY KEY,
    source TEXT NOT NULL,
    key TEXT NOT NULL,
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    username TEXT,
    email TEXT,
    -- NULL: unknown, which is not the empty list.
    groups TEXT,
    session TEXT,
    proven_at_s INTEGER NOT NULL,
    seen_at_ms INTEGER NOT NULL,
    held TEXT NOT NULL DEFAULT '[]',
    epoch INTEGER NOT NULL DEFAULT 0,
    account_at_ms INTEGER,
    account_reason TEXT,
    session_at_ms INTEGER,
    session_reason TEXT,
    doubt_at_ms INTEGER,
    doubt_reason TEXT,
    groups_changed_at_ms INTEGER,
    -- As `tokens.claimant`.
    claimant INTEGER NOT NULL,
    UNIQUE (source, key)
) STRICT;
CREATE INDEX people_by_subject ON people (subject);
CREATE INDEX people_by_key ON people (key);
CREATE INDEX people_by_username ON people (username COLLATE NOCASE) WHERE username IS NOT NULL;
CREATE INDEX people_by_email ON people (email COLLATE NOCASE) WHERE email IS NOT NULL;

-- The last sessions of a person at its provider, to match a logout.
CREATE TABLE sessions (
    sid TEXT NOT NULL,
    person INTEGER NOT NULL REFERENCES people (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    PRIMARY KEY (person, sid)
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_by_sid ON sessions (sid);

-- Issued tokens. `sealed` only where a hub could be told to revoke it. `hash` and `claimant` are 64 bits of
-- a digest of `sha256` and of `source` and `key`, and stand for them in the indexes: each token is written
-- to a random page of both, and with the texts themselves these pages were four times as many.
CREATE TABLE tokens (
    hash INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    claimant INTEGER NOT NULL,
    source TEXT NOT NULL,
    key TEXT NOT NULL,
    name TEXT,
    role TEXT NOT NULL,
    hub TEXT NOT NULL,
    repository TEXT,
    action TEXT NOT NULL,
    issued_at_s INTEGER NOT NULL,
    expires_at_s INTEGER NOT NULL,
    request_id TEXT NOT NULL,
    revoked_at_ms INTEGER,
    sealed BLOB
) STRICT;
CREATE INDEX tokens_by_hash ON tokens (hash);
CREATE INDEX tokens_by_claimant ON tokens (claimant, expires_at_s) WHERE revoked_at_ms IS NULL;
CREATE INDEX tokens_by_expiry ON tokens (expires_at_s);
CREATE INDEX tokens_kept ON tokens (expires_at_s) WHERE sealed IS NOT NULL;

-- AUTOINCREMENT: a number is never given a second time, so that a cursor stays true after a prune.
CREATE TABLE feed (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    source TEXT NOT NULL,
    key TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    event TEXT NOT NULL
) STRICT;
CREATE INDEX feed_by_subject ON feed (source, key, seq);

-- Signals taken, to tell replays.
CREATE TABLE once (
    transmitter TEXT NOT NULL,
    id TEXT NOT NULL,
    until_ms INTEGER NOT NULL,
    PRIMARY KEY (transmitter, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX once_by_until ON once (until_ms);

CREATE TABLE streams (
    transmitter TEXT NOT NULL PRIMARY KEY,
    verified_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE agent_logs (
    id INTEGER PRIMARY KEY,
    source TEXT NOT NULL,
    key TEXT NOT NULL,
    log TEXT NOT NULL,
    seq INTEGER NOT NULL,
    hash TEXT NOT NULL,
    head_seq INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    -- The last record that was dropped by age: the log goes on from it.
    dropped_seq INTEGER NOT NULL DEFAULT 0,
    dropped_hash TEXT NOT NULL DEFAULT '',
    UNIQUE (source, key, log)
) STRICT;

CREATE INDEX agent_logs_by_name ON agent_logs (log);

CREATE TABLE agent_records (
    arrival INTEGER PRIMARY KEY,
    log INTEGER NOT NULL REFERENCES agent_logs (id),
    seq INTEGER NOT NULL,
    arrived_at_ms INTEGER NOT NULL,
    line TEXT NOT NULL,
    UNIQUE (log, seq)
) STRICT;

CREATE TABLE keys (
    kid TEXT NOT NULL PRIMARY KEY,
    algorithm TEXT NOT NULL,
    sealed BLOB NOT NULL,
    public TEXT NOT NULL,
    made_at_ms INTEGER NOT NULL,
    signs_from_ms INTEGER NOT NULL,
    gone_at_ms INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE secrets (
    kind TEXT NOT NULL,
    owner TEXT NOT NULL,
    number INTEGER NOT NULL,
    value BLOB NOT NULL,
    hub TEXT,
    made_at_ms INTEGER NOT NULL,
    until_ms INTEGER,
    PRIMARY KEY (kind, owner, number)
) STRICT, WITHOUT ROWID;

-- The organization's log. `line` is what is hashed, and says everything (read/audit.rs).
CREATE TABLE audit (
    seq INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    line TEXT NOT NULL
) STRICT;
CREATE INDEX audit_by_time ON audit (at_ms);

-- Every name under which a stable key stands in the log: read for each entry, written for a new name only.
CREATE TABLE names (
    name TEXT NOT NULL COLLATE NOCASE,
    person TEXT NOT NULL,
    PRIMARY KEY (name, person)
) STRICT, WITHOUT ROWID;
