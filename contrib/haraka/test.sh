#!/bin/sh
# Does Haraka with the plugin of this folder keep letters from an attacker? Run as root.
# HARAKA names a folder in which `npm install Haraka` was run.
. "$(dirname "$0")/../testing/world.sh"
HARAKA=${HARAKA:-$TREES/haraka}
[ -f "$HARAKA/node_modules/Haraka/package.json" ] || {
    echo "missing: Haraka (npm install --prefix $HARAKA Haraka)" >&2
    exit 1
}

world_up
sed -n 's/.*"version": "\(.*\)".*/Haraka \1/p' "$HARAKA/node_modules/Haraka/package.json"

# instance NAME PLUGINS: a folder with configuration and queue.
instance() {
    place=$RUN/$1
    mkdir -p "$place/config" "$place/plugins" "$place/queue"
    cp "$HARAKA/node_modules/Haraka/config/connection.ini" "$place/config/"
    cp "$HERE/waxseal.js" "$place/plugins/"
    echo mail.sender.example >"$place/config/me"
    printf 'listen=127.0.0.1:2525\nnodes=0\n' >"$place/config/smtp.ini"
    printf 'level=info\n[main]\nlevel=info\n' >"$place/config/log.ini"
    echo debug >"$place/config/loglevel"
    printf '[outbound]\nenable_tls=true\n' >"$place/config/outbound.ini"
    printf 'socket=%s/state/api\n%s\n' "$RUN" "${3:-}" >"$place/config/waxseal.ini"
    printf '%s\n' "$2" >"$place/config/plugins"
    cat >"$place/plugins/take_all.js" <<JS
exports.hook_mail = (next, connection) => { connection.relaying = true; next() }
exports.hook_rcpt = (next) => next(OK)
JS
}

# Haraka as it is, in the world's namespace with the world's resolver and authority.
haraka() {
    start "haraka-$1" in_mail unshare -m sh -c "mount --bind $RUN/resolv.conf /etc/resolv.conf &&
        NODE_PATH=$HARAKA/node_modules NODE_EXTRA_CA_CERTS=$RUN/ca.pem \
        exec node $HARAKA/node_modules/Haraka/bin/haraka -c $RUN/$1"
    wait_for "in_mail python3 -c 'import socket; socket.create_connection((\"127.0.0.1\", 2525))'"
}

send() {
    : >"$RUN/letters"
    haraka "$1"
    in_mail python3 - $DOMAINS <<'PY'
import smtplib, sys
for domain in sys.argv[1:]:
    with smtplib.SMTP("127.0.0.1", 2525, "mail.sender.example", timeout=10) as mail:
        mail.sendmail("sender@mail.sender.example", [f"someone@{domain}"],
                      f"Subject: test\r\nMessage-Id: <{domain}@mail>\r\n\r\nhello\r\n")
PY
    sleep 8
    kill $(in_mail pgrep -f "bin/haraka -c $RUN/$1") 2>/dev/null || true
    sleep 1
}

instance without take_all
instance with "take_all
waxseal"
instance open "take_all
waxseal" dane=open

send without
expect_unprotected Haraka
send with
expect_protected Haraka
expect dane.test 0 "DANE alone, dane=defer: the mail waits"
expect dane-wrong.test 0 "DANE alone, dane=defer: the mail waits"
echo "--- what Haraka logged"
grep -E '\[waxseal\]|delivered file|temp_fail|TLS verification|No TLS|temp fail' "$RUN/haraka-with.log" |
    cut -c1-160 || true
send open
echo "--- Haraka with Waxseal and dane=open"
expect wrong-cert.example 0 "MTA-STS"
expect dane-wrong.test 1 "DANE alone, dane=open: NOT PROTECTED"

echo "--- Haraka without an answer from Waxseal"
rm -rf "$RUN/with/queue"; mkdir "$RUN/with/queue"
kill $(in_mail pgrep -f "serve --config $RUN/waxseal.toml")
sleep 1
send with
expect enforced.example 0 "Waxseal is down: the mail waits"
finish Haraka
