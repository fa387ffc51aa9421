-- Policies that were fetched, one row for each policy domain (RFC 8461 §3.3: kept for max_age).
-- Times are whole seconds since 1970-01-01 UTC.
CREATE TABLE policy (
    domain     TEXT   PRIMARY KEY, -- A-labels, lower case
    id         TEXT   NOT NULL,    -- of the record that led to the policy
    body       TEXT   NOT NULL,    -- the policy, one field for each line
    issuer     TEXT,               -- who issued the policy host's certificate
    fetched    BIGINT NOT NULL,
    expires    BIGINT NOT NULL,
    last_used  BIGINT NOT NULL,
    refresh_at BIGINT NOT NULL,    -- when to fetch it again ahead of time
    failures   BIGINT NOT NULL,    -- refreshes that failed in a row
    last_error TEXT                -- why the last one failed
) WITHOUT ROWID;

CREATE INDEX policy_by_refresh ON policy (refresh_at);
CREATE INDEX policy_by_expiry ON policy (expires);
