-- TLS sessions of our own, counted for reports to those whom we send to (RFC 8460).
-- Times are whole seconds since 1970-01-01 UTC; a day is the number of days since then.

-- How much a day takes, so that one day cannot fill the disk.
CREATE TABLE tls_total (
    day     BIGINT PRIMARY KEY,
    domains BIGINT NOT NULL,
    rows    BIGINT NOT NULL   -- in tls_policy and tls_failure
) WITHOUT ROWID;

-- One domain on one day: what one report is made of.
CREATE TABLE tls_day (
    day       BIGINT NOT NULL,
    domain    TEXT   NOT NULL, -- A-labels, lower case
    record    TEXT   NOT NULL, -- its TLSRPT record as seen last; '' if nobody has seen it
    record_at BIGINT NOT NULL, -- when it was seen
    outcome   TEXT,            -- what came of it; NULL while it counts
    sessions  BIGINT NOT NULL, -- successes and failures together
    changes   BIGINT NOT NULL, -- how many times something was added
    next_look BIGINT NOT NULL, -- when to ask the DNS again after it has failed
    PRIMARY KEY (day, domain)
) WITHOUT ROWID;

CREATE INDEX tls_day_open ON tls_day (day, next_look) WHERE outcome IS NULL;

-- Sessions under one policy.
CREATE TABLE tls_policy (
    day       BIGINT NOT NULL,
    domain    TEXT   NOT NULL,
    policy    TEXT   NOT NULL, -- one line
    successes BIGINT NOT NULL,
    failures  BIGINT NOT NULL,
    PRIMARY KEY (day, domain, policy)
) WITHOUT ROWID;

-- What failed in sessions under that policy.
CREATE TABLE tls_failure (
    day      BIGINT NOT NULL,
    domain   TEXT   NOT NULL,
    policy   TEXT   NOT NULL,
    failure  TEXT   NOT NULL,  -- one line
    sessions BIGINT NOT NULL,
    PRIMARY KEY (day, domain, policy, failure)
) WITHOUT ROWID;

-- Messages that were refused as spam: whoever sends nothing else gets no report either.
CREATE TABLE mail_spam (
    day      BIGINT NOT NULL,
    domain   TEXT   NOT NULL,
    messages BIGINT NOT NULL,
    PRIMARY KEY (day, domain)
) WITHOUT ROWID;
