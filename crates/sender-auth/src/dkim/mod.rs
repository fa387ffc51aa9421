//! DKIM, DomainKeys Identified Mail (RFC 6376).
