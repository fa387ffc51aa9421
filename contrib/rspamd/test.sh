#!/bin/sh
# What does Debian's rspamd make of true and forged verdicts with the files of this folder? Run as
# root. That Waxseal's own verdicts arrive through Postfix is seen in e2e/tests/gate/filters.rs.
. "$(dirname "$0")/../testing/world.sh"

trap world_down EXIT
trap 'exit 130' INT TERM
ip netns add "$MAIL"
ip -n "$MAIL" link set lo up
tree filters rspamd,amavisd-new,spamassassin
verdicts() { in_mail python3 "$TESTING/verdicts.py" "$@"; }
verdicts letters "$RUN/letters"
start api in_mail python3 "$TESTING/verdicts.py" api

etc=$TREE/etc/rspamd
cp "$HERE/waxseal.lua" "$etc/lua.local.d/"
install -m 444 "$RUN/letters/verdict.key" "$etc/waxseal.key"
# No network: a name server that refuses, and no lists of strangers.
echo 'dns { nameserver = ["127.0.0.1"]; timeout = 0.1s; retransmits = 1; }' \
    >"$etc/local.d/options.inc"
echo 'type = "console";' >"$etc/local.d/logging.inc"
for place in proc dev; do
    mount --bind "/$place" "$TREE/$place"
    MOUNTED="$TREE/$place $MOUNTED"
done
in_tree rspamd --version | sed -n 1p

# rspamd CONFIGURATION: starts it anew.
rspamd() {
    for pid in $(ip netns pids "$MAIL"); do
        [ "$(cat "/proc/$pid/comm")" != rspamd ] || kill -9 "$pid"
    done
    cp "$1" "$etc/modules.local.d/waxseal.conf"
    in_tree rspamadm configtest >"$RUN/configtest.log" 2>&1 ||
        { cat "$RUN/configtest.log"; exit 1; }
    start rspamd in_tree rspamd -f -u _rspamd -g _rspamd
    # The first time, it compiles thousands of expressions; a busy machine takes minutes for it.
    tries=0
    until verdicts scan "$RUN/letters/no-field.eml" >/dev/null 2>&1; do
        tries=$((tries + 1))
        [ "$tries" -lt 1000 ] || { cat "$RUN/rspamd.log"; exit 1; }
        sleep 0.1
    done
}

# expect LETTER SYMBOLS [QUEUE-ID]
expect() {
    found=$(verdicts scan "$RUN/letters/$1.eml" ${3:-})
    if [ "$found" = "$2" ]; then verdict=ok; else verdict=WRONG; FAILED=1; fi
    printf '%-5s %-18s %-9s %s\n' "$verdict" "$1" "${3:-}" "$found"
}

echo "--- with the key"
rspamd "$HERE/waxseal.conf"
expect identified WAXSEAL_IDENTIFIED
expect unidentified WAXSEAL_UNIDENTIFIED
expect new-tag WAXSEAL_IDENTIFIED
expect no-field WAXSEAL_UNKNOWN
expect no-field WAXSEAL_UNKNOWN YES1
for forged in other-key no-seal empty changed added behind of-another-letter of-another-author \
    old from-the-future; do
    expect "$forged" "WAXSEAL_FORGED WAXSEAL_UNKNOWN"
done
expect forged-above "WAXSEAL_FORGED WAXSEAL_UNIDENTIFIED"
expect forged-below "WAXSEAL_FORGED WAXSEAL_UNIDENTIFIED"

echo "--- with the key and the API"
sed 's/# \(api\|timeout\)/\1/' "$HERE/waxseal.conf" >"$RUN/both.conf"
rspamd "$RUN/both.conf"
expect no-field WAXSEAL_IDENTIFIED YES1
expect no-field WAXSEAL_UNIDENTIFIED NO1
expect identified WAXSEAL_IDENTIFIED NO1
expect other-key "WAXSEAL_FORGED WAXSEAL_UNIDENTIFIED" NO1
for id in NOBODY RUBBISH1 LIST1 FAULT1 SILENT1 'A&id=YES1'; do
    expect no-field WAXSEAL_UNKNOWN "$id"
done

echo "--- with the API only: no field is believed"
sed 's/^  key =/  # key =/' "$RUN/both.conf" >"$RUN/api.conf"
rspamd "$RUN/api.conf"
expect identified WAXSEAL_UNKNOWN
expect identified WAXSEAL_UNIDENTIFIED NO1
expect other-key WAXSEAL_IDENTIFIED YES1

echo "--- with neither: nothing is said"
sed 's/^  api =/  # api =/' "$RUN/api.conf" >"$RUN/none.conf"
rspamd "$RUN/none.conf"
expect identified ""
finish rspamd
