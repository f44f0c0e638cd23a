-- Version 6. What the directories of the company say of people and groups, and their end of an account. Times as
-- everywhere; `attributes` is what else is shown of somebody, JSON.
ALTER TABLE people ADD COLUMN directory_at_ms INTEGER;
ALTER TABLE people ADD COLUMN directory_reason TEXT;

CREATE TABLE directory_users (
    number INTEGER PRIMARY KEY,
    source TEXT NOT NULL,
    id TEXT NOT NULL,
    -- The stable key, as in `people`.
    key TEXT NOT NULL,
    user_name TEXT NOT NULL COLLATE NOCASE,
    external_id TEXT,
    active INTEGER NOT NULL,
    attributes TEXT NOT NULL,
    version INTEGER NOT NULL,
    created_at_ms INTEGER NOT NULL,
    changed_at_ms INTEGER NOT NULL,
    -- When it last said anything of their groups; NULL: never, which is not "in none".
    groups_at_ms INTEGER,
    UNIQUE (source, id),
    UNIQUE (source, key),
    UNIQUE (source, user_name)
) STRICT;
CREATE INDEX directory_users_by_external_id ON directory_users (source, external_id)
    WHERE external_id IS NOT NULL;

CREATE TABLE directory_emails (
    email TEXT NOT NULL COLLATE NOCASE,
    directory_user INTEGER NOT NULL REFERENCES directory_users (number) ON DELETE CASCADE,
    place INTEGER NOT NULL,
    PRIMARY KEY (directory_user, place)
) STRICT, WITHOUT ROWID;
CREATE INDEX directory_emails_by_email ON directory_emails (email);

CREATE TABLE directory_groups (
    number INTEGER PRIMARY KEY,
    source TEXT NOT NULL,
    id TEXT NOT NULL,
    -- As the policy names it.
    name TEXT NOT NULL,
    display_name TEXT NOT NULL COLLATE NOCASE,
    external_id TEXT,
    version INTEGER NOT NULL,
    created_at_ms INTEGER NOT NULL,
    changed_at_ms INTEGER NOT NULL,
    UNIQUE (source, id),
    UNIQUE (source, name)
) STRICT;
CREATE INDEX directory_groups_by_display_name ON directory_groups (source, display_name);

CREATE TABLE directory_members (
    directory_group INTEGER NOT NULL REFERENCES directory_groups (number) ON DELETE CASCADE,
    directory_user INTEGER NOT NULL REFERENCES directory_users (number) ON DELETE CASCADE,
    PRIMARY KEY (directory_group, directory_user)
) STRICT, WITHOUT ROWID;
CREATE INDEX directory_members_by_user ON directory_members (directory_user, directory_group);

CREATE TABLE directories (
    source TEXT NOT NULL PRIMARY KEY,
    heard_at_ms INTEGER NOT NULL,
    changed_at_ms INTEGER
) STRICT, WITHOUT ROWID;
