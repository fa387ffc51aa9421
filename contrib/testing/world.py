#!/usr/bin/env python3
"""A small Internet for trying a mail server with Waxseal: names, policies, mail servers.

    world.py prepare FOLDER   writes zones, certificates and configurations
    world.py serve FOLDER     runs the policy hosts and the mail servers

Half of the mail servers are an attacker's. Each writes one line for each letter that it gets to
FOLDER/letters: the domain of the recipient, and how it came.
"""

import pathlib
import re
import socket
import socketserver
import ssl
import subprocess
import sys
import threading

# domain, MTA-STS mode, the host that the DNS names, the name in its certificate, who signed it.
# Without a signer the server offers no STARTTLS. Domains in test. are signed. The policy of a
# domain allows mx.DOMAIN; those in WILDCARDS allow *.DOMAIN.
DOMAINS = [
    ("enforced.example", "enforce", "mx.enforced.example", "mx.enforced.example", "ca"),
    ("wrong-cert.example", "enforce", "mx.wrong-cert.example", "mx.attacker.example", "ca"),
    ("self-signed.example", "enforce", "mx.self-signed.example", "mx.self-signed.example", "self"),
    ("stripped.example", "enforce", "mx.stripped.example", "", None),
    ("redirected.example", "enforce", "mx.attacker.example", "mx.attacker.example", "ca"),
    ("testing.example", "testing", "mx.testing.example", "mx.attacker.example", "ca"),
    ("plain.example", None, "mx.plain.example", "mx.plain.example", "self"),
    ("wildcard.example", "enforce", "a.wildcard.example", "a.wildcard.example", "ca"),
    ("deep.example", "enforce", "a.b.deep.example", "a.b.deep.example", "ca"),
    ("dane.test", None, "mx.dane.test", "mx.dane.test", "self"),
    ("dane-wrong.test", None, "mx.dane-wrong.test", "mx.dane-wrong.test", "self"),
]
WILDCARDS = ("wildcard.example", "deep.example")
NETWORK = "10.66.0"
NAME_SERVER = f"{NETWORK}.2"
POLICY_HOST = f"{NETWORK}.3"


def mail_address(index):
    return f"{NETWORK}.{10 + index}"


def run(*command, **options):
    return subprocess.run(command, check=True, capture_output=True, text=True, **options).stdout


def certificate(folder, name, names, signer):
    """name.key and name.pem with the names as DNS-IDs."""
    key, pem = folder / f"{name}.key", folder / f"{name}.pem"
    common = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
              "-subj", f"/CN={name}", "-keyout", str(key), "-out", str(pem),
              "-addext", "subjectAltName=" + ",".join(f"DNS:{one}" for one in names)]
    by = ["-CA", str(folder / "ca.pem"), "-CAkey", str(folder / "ca.key"),
          "-addext", "basicConstraints=critical,CA:FALSE"]
    run("openssl", "req", "-x509", *common, *(by if signer == "ca" else []))


def tlsa(folder, name):
    public = subprocess.run(["openssl", "x509", "-in", str(folder / f"{name}.pem"), "-pubkey",
                             "-noout"], check=True, capture_output=True).stdout
    der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=public,
                         check=True, capture_output=True).stdout
    return "3 1 1 " + subprocess.run(["openssl", "dgst", "-sha256", "-r"], input=der, check=True,
                                     capture_output=True).stdout.decode().split()[0]


def prepare(folder):
    folder.mkdir(parents=True, exist_ok=True)
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
        "-nodes", "-days", "30", "-subj", "/CN=World CA", "-keyout", str(folder / "ca.key"),
        "-out", str(folder / "ca.pem"))
    certificate(folder, "policies", [f"mta-sts.{one[0]}" for one in DOMAINS if one[1]], "ca")

    soa = "@ 300 SOA ns hostmaster 1 3600 600 86400 60\n@ 300 NS ns\n"
    zones = {
        # The root, signed. `test` is inside it, `example` is delegated without a DS record,
        # `bogus` with a wrong one.
        ".": ["$TTL 300", ". SOA ns.nic.test. h.nic.test. 1 3600 600 86400 60",
              ". NS ns.nic.test.", f"ns.nic.test. A {NAME_SERVER}",
              "example. NS ns.nic.test.", "bogus. NS ns.nic.test.",
              "bogus. DS 12345 13 2 " + "ab" * 32],
        "example.": ["$TTL 300", "$ORIGIN example.", soa + f"ns A {NAME_SERVER}"],
        "bogus.": ["$TTL 300", "$ORIGIN bogus.", soa + f"ns A {NAME_SERVER}",
                   f"@ A {NAME_SERVER}"],
    }
    hosts = set()
    for index, (domain, mode, host, name, signer) in enumerate(DOMAINS):
        zone = zones["." if domain.endswith(".test") else "example."]
        zone.append(f"{domain}. MX 10 {host}.")
        address = mail_address(index)
        if host not in hosts:
            zone.append(f"{host}. A {address}")
            hosts.add(host)
        if signer:
            certificate(folder, domain, [name], signer)
        if mode:
            zone.append(f'_mta-sts.{domain}. TXT "v=STSv1; id=1"')
            zone.append(f"mta-sts.{domain}. A {POLICY_HOST}")
            pattern = f"{'*' if domain in WILDCARDS else 'mx'}.{domain}"
            (folder / f"{domain}.policy").write_text(
                f"version: STSv1\nmode: {mode}\nmx: {pattern}\nmax_age: 604800\n")
        if domain.endswith(".test"):
            record = tlsa(folder, domain)
            if domain == "dane-wrong.test":
                record = "3 1 1 " + "00" * 32
            zone.append(f"_25._tcp.{host}. TLSA {record}")
    for name, lines in zones.items():
        (folder / f"zone{name}").write_text("\n".join(lines) + "\n")
    template = f"\n  - domain: %s\n    storage: {folder}\n    file: zone%s"
    (folder / "knot.conf").write_text(
        f"server:\n    listen: {NAME_SERVER}@53\n    rundir: {folder}/knot\n"
        f"database:\n    storage: {folder}/knot\n"
        "zone:" + template % (".", ".") + "\n    dnssec-signing: on"
        + template % ("example.", "example.") + template % ("bogus.", "bogus.") + "\n")
    (folder / "knot").mkdir(exist_ok=True)
    (folder / "unbound.conf").write_text(f"""server:
    interface: 127.0.0.53
    access-control: 127.0.0.0/8 allow
    do-daemonize: no
    username: ""
    chroot: ""
    directory: "{folder}"
    pidfile: ""
    use-syslog: no
    root-hints: "{folder}/hints"
    trust-anchor-file: "{folder}/anchor"
    do-not-query-localhost: no
    module-config: "validator iterator"
    local-zone: "test." nodefault
remote-control:
    control-enable: no
""")
    (folder / "hints").write_text(
        f". 3600 NS ns.nic.test.\nns.nic.test. 3600 A {NAME_SERVER}\n")
    (folder / "resolv.conf").write_text("nameserver 127.0.0.53\noptions trust-ad edns0\n")
    (folder / "waxseal.toml").write_text(f"""state_dir = "{folder}/state"
[dns]
resolver = "127.0.0.53"
probe_bogus = ["bogus"]
[http]
api = ["unix:STATE_DIR/api", "127.0.0.1:8645"]
[line]
listen = ["unix:STATE_DIR/line", "127.0.0.1:8644"]
[fetch]
ca = "{folder}/ca.pem"
allow_private = true
[log]
level = "debug"
""")


class MailServer(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


def mail_server(folder, index, domain, host, signer):
    tls = None
    if signer:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(folder / f"{domain}.pem", folder / f"{domain}.key")

    class Dialogue(socketserver.BaseRequestHandler):
        def handle(self):
            connection, protected, recipients = self.request, False, []
            lines = connection.makefile("rb")

            def say(text):
                connection.sendall(text.encode() + b"\r\n")

            say(f"220 {host} ESMTP")
            try:
                while line := lines.readline():
                    verb = line.strip().upper()
                    if verb.startswith((b"EHLO", b"HELO")):
                        offers = tls and not protected
                        say(f"250-{host}\r\n250-STARTTLS\r\n250 8BITMIME" if offers
                            else f"250-{host}\r\n250 8BITMIME")
                    elif verb == b"STARTTLS" and tls:
                        say("220 go ahead")
                        connection = tls.wrap_socket(connection, server_side=True)
                        lines, protected = connection.makefile("rb"), True
                    elif verb.startswith(b"RCPT"):
                        found = re.search(rb"@([^>\s]+)", line)
                        recipients.append(found.group(1).decode() if found else "?")
                        say("250 ok")
                    elif verb == b"DATA":
                        say("354 go on")
                        while lines.readline() not in (b".\r\n", b""):
                            pass
                        with open(folder / "letters", "a") as letters:
                            for one in recipients:
                                letters.write(f"{one} {'TLS' if protected else 'cleartext'}\n")
                        say("250 taken")
                    elif verb == b"QUIT":
                        say("221 bye")
                        return
                    elif verb.startswith((b"MAIL", b"RSET", b"NOOP")):
                        recipients = []
                        say("250 ok")
                    else:
                        say("502 no")
            except (OSError, ssl.SSLError):
                pass  # Whoever does not like the certificate hangs up.

    server = MailServer((mail_address(index), 25), Dialogue)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def policy_hosts(folder):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(folder / "policies.pem", folder / "policies.key")

    class Page(socketserver.BaseRequestHandler):
        def handle(self):
            try:
                connection = tls.wrap_socket(self.request, server_side=True)
                asked = connection.recv(4096).decode("latin-1")
                host = re.search(r"(?im)^host: *mta-sts\.([a-z0-9.-]+)", asked)
                page = (folder / f"{host.group(1)}.policy").read_bytes()
                head = f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {len(page)}\r\n"
                connection.sendall(head.encode() + b"Connection: close\r\n\r\n" + page)
                connection.close()
            except (OSError, AttributeError):
                pass

    server = MailServer((POLICY_HOST, 443), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def serve(folder):
    (folder / "letters").touch()
    policy_hosts(folder)
    for index, (domain, _, host, _, signer) in enumerate(DOMAINS):
        mail_server(folder, index, domain, host, signer)
    print("serving", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    verb, folder = sys.argv[1], pathlib.Path(sys.argv[2]).resolve()
    {"prepare": prepare, "serve": serve}[verb](folder)
