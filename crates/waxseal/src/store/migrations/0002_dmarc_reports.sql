-- Reports about the mail that came in (RFC 9990), and the outbox that delivers them.
-- Times are whole seconds since 1970-01-01 UTC; a day is the number of days since then.

-- How much a day takes, so that one day cannot fill the disk.
CREATE TABLE report_day (
    day     BIGINT PRIMARY KEY,
    domains BIGINT NOT NULL,
    rows    BIGINT NOT NULL
) WITHOUT ROWID;

-- One policy domain on one day: what one report is made of.
CREATE TABLE report_domain (
    day       BIGINT NOT NULL,
    domain    TEXT   NOT NULL, -- A-labels, lower case
    outcome   TEXT,            -- what came of it; NULL while it counts
    policy    TEXT   NOT NULL, -- as seen last, one line
    policy_at BIGINT NOT NULL, -- when it was seen
    record    TEXT   NOT NULL, -- the record with the addresses for reports
    rows      BIGINT NOT NULL,
    triggers  BIGINT NOT NULL, -- messages that are a reason to make a report
    strangers BIGINT NOT NULL, -- messages that are one if the domain has ever sent anything good
    changes   BIGINT NOT NULL, -- how many times something was added
    next_look BIGINT NOT NULL, -- when to ask the DNS again after it has failed
    PRIMARY KEY (day, domain)
) WITHOUT ROWID;

CREATE INDEX report_domain_open ON report_domain (day, next_look) WHERE outcome IS NULL;

-- Messages that are alike, counted.
CREATE TABLE report_row (
    day      BIGINT NOT NULL,
    domain   TEXT   NOT NULL,
    line     TEXT   NOT NULL,  -- what they have in common
    messages BIGINT NOT NULL,
    triggers BIGINT NOT NULL,
    PRIMARY KEY (day, domain, line)
) WITHOUT ROWID;

-- Domains that have sent us mail that passed and was taken.
CREATE TABLE report_contact (
    domain    TEXT   PRIMARY KEY,
    last_good BIGINT NOT NULL
) WITHOUT ROWID;

-- Random octets that must stay the same: the name of this installation, keys of pseudonyms.
CREATE TABLE report_secret (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;

-- Reports on their way, one row for each address.
CREATE TABLE outbox (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    kind       TEXT   NOT NULL, -- dmarc-aggregate, dmarc-failure
    report_id  TEXT   NOT NULL,
    domain     TEXT   NOT NULL, -- whom it is about
    day        BIGINT,          -- of an aggregate report
    recipient  TEXT   NOT NULL,
    host       TEXT   NOT NULL, -- behind the @ of the recipient
    token      TEXT   NOT NULL UNIQUE, -- in the return path, so that a bounce can be told
    state      TEXT   NOT NULL, -- queued, sending, delivered, failed, expired, suppressed
    tries      BIGINT NOT NULL,
    created    BIGINT NOT NULL,
    first_try  BIGINT,
    next_try   BIGINT NOT NULL,
    ended      BIGINT,
    last_error TEXT,
    message    BLOB   NOT NULL, -- the same octets at each try
    UNIQUE (report_id, recipient)
);

CREATE INDEX outbox_waiting ON outbox (next_try) WHERE state IN ('queued', 'sending');
CREATE INDEX outbox_ended ON outbox (ended) WHERE ended IS NOT NULL;

-- Addresses that refused a report or bounced it.
CREATE TABLE outbox_suppressed (
    address TEXT   PRIMARY KEY,
    until   BIGINT NOT NULL,
    times   BIGINT NOT NULL,   -- in a row; each doubles the time
    reason  TEXT   NOT NULL
) WITHOUT ROWID;
