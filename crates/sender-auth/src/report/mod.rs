//! Reports to the owners of domains (RFC 9990, 9991).
