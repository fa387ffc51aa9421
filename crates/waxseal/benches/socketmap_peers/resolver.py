"""Runs postfix-mta-sts-resolver as it is, with a cache that is filled before it starts.

Usage: resolver.py PORT DOMAINS. The domains are those of table.rs, mix "secure".
"""

import sys
import tempfile
import time

from postfix_mta_sts_resolver import daemon, utils
from postfix_mta_sts_resolver.base_cache import CacheEntry
from postfix_mta_sts_resolver.internal_cache import InternalLRUCache

port, domains = int(sys.argv[1]), int(sys.argv[2])

CONFIGURATION = f"""
host: 127.0.0.1
port: {port}
reuse_port: true
cache_grace: 86400
cache: {{type: internal, options: {{cache_size: {domains}}}}}
"""


def filled_cache(*_):
    cache = InternalLRUCache(domains)
    for index in range(domains):
        domain = f"d{index:07}.example"
        policy = {
            "version": "STSv1",
            "mode": "enforce",
            "mx": [f"mx.{domain}", f"*.mail.{domain}"],
            "max_age": 604800,
        }
        cache._cache[domain] = CacheEntry(time.time(), "1", policy)
    return cache


utils.create_cache = filled_cache
with tempfile.NamedTemporaryFile("w", suffix=".yml") as configuration:
    configuration.write(CONFIGURATION)
    configuration.flush()
    sys.argv = ["mta-sts-daemon", "-c", configuration.name, "-v", "error"]
    daemon.main()
