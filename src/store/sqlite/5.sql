-- Version 5. A doubt about people who were not seen yet is kept too, and forgotten when every token of before is over.
ALTER TABLE unmatched ADD COLUMN doubt_at_ms INTEGER;
ALTER TABLE unmatched ADD COLUMN doubt_reason TEXT;
CREATE INDEX unmatched_by_doubt ON unmatched (doubt_at_ms)
    WHERE account_at_ms IS NULL AND account_restored_at_ms IS NULL AND session_at_ms IS NULL;
