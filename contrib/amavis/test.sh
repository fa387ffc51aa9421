#!/bin/sh
# What do Debian's Amavis and SpamAssassin make of true and forged verdicts with the files of this
# folder? Run as root.
. "$(dirname "$0")/../testing/world.sh"

trap world_down EXIT
trap 'exit 130' INT TERM
ip netns add "$MAIL"
ip -n "$MAIL" link set lo up
tree filters rspamd,amavisd-new,spamassassin
verdicts() { in_mail python3 "$TESTING/verdicts.py" "$@"; }
verdicts letters "$RUN/letters"
start sink in_mail python3 "$TESTING/verdicts.py" sink "$RUN/letters"

etc=$TREE/etc/amavis
rm -f "$TREE/etc/spamassassin/waxseal.cf"
cp "$HERE/60-waxseal" "$etc/conf.d/"
in_tree install -o amavis -m 400 /dev/null /etc/amavis/waxseal.key
cat "$RUN/letters/verdict.key" >"$etc/waxseal.key"
# What systemd and the machine's installation would have made.
in_tree install -o amavis -d /run/amavis
echo mail.ours.example >"$TREE/etc/mailname"
# To the terminal, not to syslog; marks in every letter; Amavis looks for spam only in the second
# half of the test.
settings() {
    printf '%s\n' 'use strict;' '$myhostname = "mail.ours.example";' '$DO_SYSLOG = 0;' \
        '$log_level = 2;' '$sa_tag_level_deflt = -999;' '@local_domains_acl = ("ours.example");' \
        '$forward_method = "smtp:[127.0.0.1]:10025";' '$notify_method = $forward_method;' \
        '$sa_local_tests_only = 1;' "$1" '1;' >"$etc/conf.d/99-test"
}
for place in proc dev; do
    mount --bind "/$place" "$TREE/$place"
    MOUNTED="$TREE/$place $MOUNTED"
done

amavis() {
    for pid in $(ip netns pids "$MAIL"); do
        ! grep -q amavisd "/proc/$pid/cmdline" || kill -9 "$pid"
    done
    settings "$1"
    start amavis in_tree amavisd foreground
    wait_for "in_mail python3 -c 'import socket; socket.create_connection((\"127.0.0.1\", 10024))'"
}

# expect LETTER X-WAXSEAL POINTS
expect() {
    rm -f "$RUN/letters/$1.got"
    verdicts send "$RUN/letters/$1.eml" "$1@ours.example"
    wait_for "[ -f $RUN/letters/$1.got ]"
    marks=$(python3 - "$RUN/letters/$1.got" <<'PY'
import email, re, sys
letter = email.message_from_binary_file(open(sys.argv[1], "rb"))
status = " ".join((letter["X-Spam-Status"] or "").split())
found = re.findall(r"WAXSEAL_\w+=-?\d+", status)
print("; ".join(letter.get_all("X-Waxseal", [])), "|", " ".join(sorted(found)))
PY
    )
    if [ "$marks" = "$2 | $3" ]; then verdict=ok; else verdict=WRONG; FAILED=1; fi
    printf '%-5s %-18s %s\n' "$verdict" "$1" "$marks"
}

# all POINTS: every letter; what the points are if they are to be seen.
all() {
    expect identified identified "${1:+WAXSEAL_IDENTIFIED=-2}"
    expect unidentified unidentified "${1:+WAXSEAL_UNIDENTIFIED=1}"
    expect new-tag identified "${1:+WAXSEAL_IDENTIFIED=-2}"
    expect no-field unknown "${1:+WAXSEAL_UNKNOWN=0}"
    expect claims unknown "${1:+WAXSEAL_UNKNOWN=0}"
    for forged in other-key no-seal empty changed added behind of-another-letter \
        of-another-author old from-the-future; do
        expect "$forged" "unknown, forged" "${1:+WAXSEAL_FORGED=4 WAXSEAL_UNKNOWN=0}"
    done
    for forged in forged-above forged-below; do
        expect "$forged" "unidentified, forged" \
            "${1:+WAXSEAL_FORGED=4 WAXSEAL_UNIDENTIFIED=1}"
    done
}

in_tree amavisd -V | sed -n 1p
echo "--- Amavis as Debian installs it: it does not look for spam, the field tells"
amavis ''
all ""

echo "--- Amavis with SpamAssassin"
amavis '@bypass_spam_checks_maps = (0);'
all points

echo "--- SpamAssassin alone, on the machine of the gate"
cp "$HERE/waxseal.cf" "$TREE/etc/spamassassin/"
in_tree spamassassin --local --lint 2>/dev/null
for pair in identified:WAXSEAL_IDENTIFIED unidentified:WAXSEAL_UNIDENTIFIED no-field:; do
    found=$(in_tree spamassassin --local --test-mode 2>/dev/null <"$RUN/letters/${pair%:*}.eml" |
        grep -o 'WAXSEAL_[A-Z]*' | sort -u | tr -d '\n')
    if [ "$found" = "${pair#*:}" ]; then verdict=ok; else verdict=WRONG; FAILED=1; fi
    printf '%-5s %-18s %s\n' "$verdict" "${pair%:*}" "$found"
done
finish Amavis
