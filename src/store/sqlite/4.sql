-- Version 4. What a provider said of people who were not seen yet, by every name that it gave; read when somebody
-- comes for the first time. An empty name matches everybody, and no row has only such. Times and reasons as in `people`.
CREATE TABLE unmatched (
    source TEXT NOT NULL,
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    email TEXT NOT NULL COLLATE NOCASE,
    key TEXT NOT NULL,
    session TEXT NOT NULL,
    account_at_ms INTEGER,
    account_reason TEXT,
    account_restored_at_ms INTEGER,
    session_at_ms INTEGER,
    session_reason TEXT,
    PRIMARY KEY (source, issuer, subject, email, key, session)
) STRICT, WITHOUT ROWID;
