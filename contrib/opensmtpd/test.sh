#!/bin/sh
# Does OpenSMTPD with the table of this folder keep letters from an attacker? Run as root.
. "$(dirname "$0")/../testing/world.sh"

world_up
tree opensmtpd opensmtpd,python3
furnish
cp "$HERE/table-waxseal" "$TREE/usr/libexec/opensmtpd/table-waxseal"

send() {
    rm -rf "$TREE/var/spool/smtpd"/queue/* "$TREE/var/spool/smtpd"/offline/*
    : >"$RUN/letters"
    start "smtpd-$1" in_tree /usr/sbin/smtpd -dv -f "/etc/$1.conf"
    sleep 2
    for domain in $DOMAINS; do
        printf 'Subject: test\n\nhello\n' |
            in_tree /usr/sbin/sendmail -f sender@mail.sender.example "someone@$domain" \
                >>"$RUN/send.log" 2>&1 || true
    done
    sleep 12
    in_tree /usr/sbin/smtpctl show queue >"$RUN/queue-$1" 2>&1 || true
    for pid in $(in_mail pgrep -f "smtpd -dv -f /etc/$1.conf"); do
        [ "$(readlink "/proc/$pid/root")" = "$TREE" ] && kill "$pid" || true
    done
    sleep 1
}

printf 'listen on socket\naction "open" relay\nmatch from local for any action "open"\n' \
    >"$TREE/etc/without.conf"
{ echo 'listen on socket'; cat "$HERE/smtpd.conf"; } >"$TREE/etc/with.conf"
echo mail.sender.example >"$TREE/etc/mailname"
in_tree /usr/sbin/smtpd -h 2>&1 | head -1 || true

send without
expect_unprotected OpenSMTPD
send with
expect_protected OpenSMTPD
expect dane.test 1 "DANE: TLS, and nothing is checked"
expect dane-wrong.test 1 "DANE: NOT PROTECTED, OpenSMTPD knows no TLSA records"
echo "--- OpenSMTPD's queue"
cut -d'|' -f6,12,14 "$RUN/queue-with"

echo "--- OpenSMTPD without an answer from Waxseal"
kill $(in_mail pgrep -f "serve --config $RUN/waxseal.toml")
sleep 1
send with
expect enforced.example 0 "Waxseal is down: the mail waits"
cut -d'|' -f6,12,14 "$RUN/queue-with" | head -1
finish OpenSMTPD
