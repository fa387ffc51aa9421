#!/bin/sh
# Does sendmail with the lines of this folder keep letters from an attacker? Run as root.
. "$(dirname "$0")/../testing/world.sh"

world_up
tree sendmail sendmail-bin,sendmail
furnish

# configuration NAME FILE: Debian's sendmail.mc with the lines of a file put in.
configuration() {
    awk -v lines="$2" '/^MAILER_DEFINITIONS/ { while ((getline line < lines) > 0) print line }
        { print }' "$TREE/etc/mail/sendmail.mc" >"$TREE/etc/mail/$1.mc"
    in_tree sh -c "cd /etc/mail && m4 $1.mc >$1.cf" 2>>"$RUN/m4.log"
}

send() {
    rm -rf "$TREE/var/spool/mqueue"/*
    : >"$RUN/letters"
    for domain in $DOMAINS; do
        printf 'Subject: test\n\nhello\n' |
            in_tree /usr/sbin/sendmail -C "/etc/mail/$1.cf" -Am -odi \
                -f sender@mail.sender.example "someone@$domain" >>"$RUN/send.log" 2>&1 || true
    done
    in_tree /usr/sbin/sendmail -C "/etc/mail/$1.cf" -bp >"$RUN/queue-$1" 2>&1
}

configuration without /dev/null
configuration with "$HERE/waxseal.m4"
in_tree sh -c 'echo | sendmail -d0.13 -bv root 2>&1 | grep -E "Version|_FFR_MTA_STS"'

send without
expect_unprotected sendmail
send with
expect_protected sendmail
expect dane.test 1 "DANE, a self-signed certificate that fits its TLSA record"
expect dane-wrong.test 0 "DANE, TLSA records of another certificate"
echo "--- sendmail's queue"
cat "$RUN/queue-with"

echo "--- sendmail without an answer from Waxseal"
kill $(in_mail pgrep -f "serve --config $RUN/waxseal.toml")
sleep 1
send with
expect enforced.example 0 "Waxseal is down: the mail waits"
finish sendmail
