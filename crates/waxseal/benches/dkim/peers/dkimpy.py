"""Verifies a message again and again with dkimpy, and says what that takes of processor time.

Usage: dkimpy.py MESSAGE TXT_RECORDS MILLISECONDS. Prints `us=` microseconds for one message.
"""

import sys
import time

import dkim

message = open(sys.argv[1], "rb").read()
milliseconds = int(sys.argv[3])
texts = dict(line.rstrip("\n").split("\t") for line in open(sys.argv[2]))


def text(name, timeout=5):
    return texts.get(name.decode().rstrip(".")).encode()


def measure(seconds):
    count, begin = 0, time.process_time()
    while True:
        if not dkim.verify(message, dnsfunc=text):
            raise SystemExit("not verified")
        count += 1
        used = time.process_time() - begin
        if used >= seconds:
            return used / count


measure(milliseconds / 4000)
print(f"us={measure(milliseconds / 1000) * 1e6:.3f}")
