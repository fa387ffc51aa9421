#!/usr/bin/env python3
"""What a filter must be tried with: letters with verdicts, true and forged; a stand-in for the API;
a mail server that keeps what it gets. Written from docs/filters.md, with nothing of Waxseal in it.

    verdicts.py letters FOLDER    writes verdict.key and NAME.eml
    verdicts.py api               answers GET /v1/verdict?id= on 127.0.0.1:8645
    verdicts.py sink FOLDER       takes letters on 127.0.0.1:10025, keeps them by recipient
    verdicts.py send FILE TO      hands a letter to 127.0.0.1:10024
    verdicts.py scan FILE [ID]    asks rspamd on 127.0.0.1:11333, prints the symbols of Waxseal
"""

import base64
import hmac
import http.server
import json
import os
import pathlib
import smtplib
import socketserver
import sys
import time
import urllib.parse
import urllib.request

YES = ("v=1; identified=yes; by=friend.example; author=friend.example; dmarc=pass; "
       "action=accept; reason=dmarc-pass; tls=encrypted")
NO = ("v=1; identified=no; because=no-signature; author=friend.example; dmarc=none; "
      "action=accept; reason=no-policy; tls=none")
DAY = 86400


def field(key, tags, name, age=0):
    """The value of Waxseal-Verdict for the letter with this name."""
    tags = f"{tags}; t={int(time.time()) - age}"
    digest = hmac.digest(key, f"{tags}\n<{name}@friend.example>".encode(), "sha256")
    return f"{tags}; seal={base64.b64encode(digest).decode()}"


def letters(folder):
    folder.mkdir(parents=True, exist_ok=True)
    key, other = os.urandom(32), os.urandom(32)
    (folder / "verdict.key").write_text(base64.b64encode(key).decode() + "\n")

    def letter(name, *fields, author="author@friend.example", more=()):
        lines = [f"Waxseal-Verdict: {one}" for one in fields] + [
            *more, f"From: Author <{author}>", "To: <someone@ours.example>",
            f"Subject: {name}", "Date: Sat, 21 Nov 2026 12:00:00 +0000",
            f"Message-ID:\n <{name}@friend.example>", "MIME-Version: 1.0",
            "Content-Type: text/plain; charset=us-ascii", "", "Hello,", "", "bye.", ""]
        text = "\n".join(lines).replace("\n", "\r\n")
        (folder / f"{name}.eml").write_bytes(text.encode())

    letter("identified", field(key, YES, "identified").replace("; dmarc", ";\n dmarc"))
    letter("unidentified", field(key, NO, "unidentified").replace("; ", ";\n\t"))
    letter("new-tag", field(key, YES + "; new=1=2", "new-tag"))
    letter("no-field")
    letter("claims", more=["X-Waxseal: identified"])
    letter("other-key", field(other, YES, "other-key"))
    letter("no-seal", YES)
    letter("empty", "")
    letter("changed", field(key, NO, "changed").replace("=no;", "=yes;"))
    letter("added", field(key, NO, "added").replace("; seal", "; identified=yes; seal"))
    letter("behind", field(key, NO, "behind") + "; identified=yes")
    letter("of-another-letter", field(key, YES, "identified"))
    letter("of-another-author", field(key, YES, "of-another-author"),
           author="boss@ours.example")
    letter("old", field(key, YES, "old", age=10 * DAY))
    letter("from-the-future", field(key, YES, "from-the-future", age=-10 * DAY))
    letter("forged-above", field(other, YES, "forged-above"), field(key, NO, "forged-above"))
    letter("forged-below", field(key, NO, "forged-below"), YES)


class Api(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        asked = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query).get("id", [""])[0]
        documents = {"YES1": {"identified": "yes", "by": "friend.example"},
                     "NO1": {"identified": "no", "because": "no-signature"},
                     "LIST1": [1]}
        if asked == "SILENT1":
            time.sleep(60)
        status = 500 if asked == "FAULT1" else 200 if asked in documents or asked == "RUBBISH1" \
            else 404
        body = json.dumps(documents.get(asked, {"error": "none"})).encode()
        self.send_response(status)
        self.end_headers()
        self.wfile.write(b"{{{{" if asked == "RUBBISH1" else body)

    def log_message(self, *_):
        pass


def sink(folder):
    class Dialogue(socketserver.StreamRequestHandler):
        def say(self, text):
            self.wfile.write(text.encode() + b"\r\n")

        def handle(self):
            self.say("220 sink ESMTP")
            to = "nobody"
            while line := self.rfile.readline():
                verb = line.strip().upper()
                if verb.startswith(b"DATA"):
                    self.say("354 go on")
                    lines = []
                    while (line := self.rfile.readline()) not in (b".\r\n", b""):
                        lines.append(line)
                    (folder / f"{to}.new").write_bytes(b"".join(lines))
                    (folder / f"{to}.new").rename(folder / f"{to}.got")
                    self.say("250 taken")
                elif verb.startswith(b"QUIT"):
                    self.say("221 bye")
                    return
                else:
                    if verb.startswith(b"RCPT"):
                        to = line.split(b"<")[1].split(b"@")[0].decode()
                    self.say("250 ok")

    socketserver.ThreadingTCPServer.allow_reuse_address = True
    socketserver.ThreadingTCPServer(("127.0.0.1", 10025), Dialogue).serve_forever()


def send(file, to):
    with smtplib.SMTP("127.0.0.1", 10024, timeout=60) as server:
        server.sendmail("author@friend.example", [to], pathlib.Path(file).read_bytes())


def scan(file, queue_id=None):
    request = urllib.request.Request("http://127.0.0.1:11333/checkv2",
                                     pathlib.Path(file).read_bytes())
    if queue_id:
        request.add_header("Queue-Id", queue_id)
    with urllib.request.urlopen(request, timeout=60) as answer:
        symbols = json.load(answer)["symbols"]
    print(" ".join(sorted(name for name in symbols if name.startswith("WAXSEAL_"))))


if __name__ == "__main__":
    verb, *rest = sys.argv[1:]
    if verb == "letters":
        letters(pathlib.Path(rest[0]))
    elif verb == "api":
        http.server.ThreadingHTTPServer(("127.0.0.1", 8645), Api).serve_forever()
    elif verb == "sink":
        sink(pathlib.Path(rest[0]))
    elif verb == "send":
        send(*rest)
    elif verb == "scan":
        scan(*rest)
