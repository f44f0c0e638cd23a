-- Version 3. An end of an account has its author: `account_*` is the provider's last end, and stays when the
-- provider lifts it later; `admin_*` is an administrator's, until it is lifted. An end of the account is an end of
-- its sessions too.
ALTER TABLE people ADD COLUMN account_restored_at_ms INTEGER;
ALTER TABLE people ADD COLUMN admin_at_ms INTEGER;
ALTER TABLE people ADD COLUMN admin_reason TEXT;
UPDATE people SET
    session_reason = CASE WHEN ifnull(session_at_ms, -1) > account_at_ms
        THEN session_reason ELSE account_reason END,
    session_at_ms = max(ifnull(session_at_ms, -1), account_at_ms)
    WHERE account_at_ms IS NOT NULL;
UPDATE people SET admin_at_ms = account_at_ms, admin_reason = account_reason,
    account_at_ms = NULL, account_reason = NULL
    WHERE account_reason LIKE 'revoked by an administrator%';
-- The time of the first evidence of a session, Unix seconds; 0: from before this version.
ALTER TABLE sessions ADD COLUMN first_s INTEGER NOT NULL DEFAULT 0;
