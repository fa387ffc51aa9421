-- What others report about domains of ours. Texts that come again and again, such as names of
-- domains, hosts and organizations, stand once in a dictionary; rows refer to them by number.

CREATE TABLE received_text (
    id   INTEGER PRIMARY KEY,
    text TEXT    NOT NULL UNIQUE,
    seen BIGINT  NOT NULL -- day of its last use; up to 30 days too early
);

CREATE TABLE received_report (
    id           INTEGER PRIMARY KEY,
    kind         TEXT    NOT NULL, -- tls-rpt, dmarc-aggregate, dmarc-failure
    state        TEXT    NOT NULL, -- counted, replaced, doubtful
    domain       BIGINT  NOT NULL, -- a text: whom it is about
    organization BIGINT  NOT NULL, -- a text: who reports
    contact      BIGINT,           -- a text
    submitter    BIGINT,           -- a text: the domain that has proved to be the author
    name         TEXT    NOT NULL, -- the id that its author gave it
    begins       BIGINT  NOT NULL,
    ends         BIGINT  NOT NULL,
    received     BIGINT  NOT NULL,
    way          TEXT    NOT NULL, -- file, smtp, lmtp, imap, https
    grade        TEXT    NOT NULL, -- failed, unauthenticated, unchecked, authenticated
    identity     BLOB    NOT NULL, -- SHA-256 of reporter, id, domains, period
    content      BLOB    NOT NULL, -- SHA-256 of all that it says
    row_count    BIGINT  NOT NULL,
    good         BIGINT  NOT NULL, -- sessions that succeeded; messages that passed DMARC
    bad          BIGINT  NOT NULL, -- sessions that failed; messages that did not pass
    dkim_pass    BIGINT  NOT NULL,
    spf_pass     BIGINT  NOT NULL,
    quarantined  BIGINT  NOT NULL,
    rejected     BIGINT  NOT NULL,
    policy       BIGINT,           -- a text: the DMARC policy that the reporter has found
    quirks       TEXT    NOT NULL, -- what is wrong with its form, one in each line
    overlaps     BIGINT  NOT NULL, -- 1: another report of the same reporter covers the same time
    duplicates   BIGINT  NOT NULL  -- how often it came again
);

CREATE UNIQUE INDEX received_report_identity ON received_report (identity, content);
CREATE INDEX received_report_domain ON received_report (domain, begins);
CREATE INDEX received_report_begins ON received_report (begins);
CREATE INDEX received_report_received ON received_report (received);

-- The policies of a report about TLS.
CREATE TABLE received_policy (
    report BIGINT NOT NULL,
    number BIGINT NOT NULL,
    domain BIGINT NOT NULL, -- a text
    policy BIGINT NOT NULL, -- a text: the line form of crate tlsrpt
    good   BIGINT NOT NULL,
    bad    BIGINT NOT NULL,
    PRIMARY KEY (report, number)
) WITHOUT ROWID;

-- What failed under a policy.
CREATE TABLE received_failure (
    report       BIGINT NOT NULL,
    number       BIGINT NOT NULL,
    policy       BIGINT NOT NULL, -- number of the policy
    result       BIGINT NOT NULL, -- a text
    sending_ip   BLOB,            -- 4 or 16 octets
    mx           BIGINT,          -- a text
    receiving_ip BLOB,
    helo         BIGINT,          -- a text
    reason       BIGINT,          -- a text
    sessions     BIGINT NOT NULL,
    PRIMARY KEY (report, number)
) WITHOUT ROWID;

-- The records of an aggregate report of DMARC.
CREATE TABLE received_record (
    report        BIGINT NOT NULL,
    number        BIGINT NOT NULL,
    source        BLOB,            -- 4 or 16 octets
    messages      BIGINT NOT NULL,
    disposition   BIGINT NOT NULL, -- 0 unknown, 1 none, 2 pass, 3 quarantine, 4 reject
    aligned       BIGINT NOT NULL, -- 1 DKIM gave an aligned pass, 2 SPF did, 3 both
    header_from   BIGINT,          -- a text
    envelope_from BIGINT,          -- a text
    envelope_to   BIGINT,          -- a text
    auth          BIGINT NOT NULL, -- a text: all results of DKIM and SPF
    reasons       BIGINT NOT NULL, -- a text: why something else was done than asked for
    PRIMARY KEY (report, number)
) WITHOUT ROWID;

-- What could not be read, with its octets (gzip) as long as there is room.
CREATE TABLE received_aside (
    id       INTEGER PRIMARY KEY,
    received BIGINT  NOT NULL,
    way      TEXT    NOT NULL,
    name     TEXT    NOT NULL, -- a path, the number of a message
    problems TEXT    NOT NULL, -- one in each line
    digest   BLOB    NOT NULL UNIQUE, -- SHA-256 of the octets as they came
    size     BIGINT  NOT NULL, -- how many they were
    times    BIGINT  NOT NULL, -- how often they came
    packed   BLOB
);

CREATE INDEX received_aside_received ON received_aside (received);
