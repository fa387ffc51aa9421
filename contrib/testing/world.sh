# A small Internet for trying a mail server with Waxseal. Sourced by the test.sh beside each
# configuration; see README.md.
#
# Two network namespaces: in $MAIL are the mail server, Waxseal and Unbound, which validates; in
# $WORLD are name servers with a signed root, policy hosts, and mail servers, half of them an
# attacker's. Nothing leaves the machine.

set -eu
[ "$(id -u)" = 0 ] || { echo "run me as root: I make network namespaces" >&2; exit 1; }
for program in ip knotd keymgr unbound openssl python3 debootstrap; do
    command -v "$program" >/dev/null || {
        echo "missing: $program (apt install iproute2 knot unbound openssl python3 debootstrap)" >&2
        exit 1
    }
done

TESTING=$(cd "$(dirname "$0")/../testing" && pwd)
HERE=$(cd "$(dirname "$0")" && pwd)
WAXSEAL=${WAXSEAL_BIN:-$TESTING/../../target/debug/waxseal}
TREES=${WAXSEAL_TREES:-/var/cache/waxseal-mta-trees}
SUITE=${WAXSEAL_SUITE:-trixie}
RUN=$(mktemp -d /tmp/waxseal-world.XXXXXX)
chmod 755 "$RUN"
MAIL=wxm$$
WORLD=wxw$$
STARTED=
MOUNTED=

in_mail() { ip netns exec "$MAIL" "$@"; }
in_world() { ip netns exec "$WORLD" "$@"; }

# Starts a program in the background; it ends with the test.
start() {
    log=$1; shift
    "$@" >"$RUN/$log.log" 2>&1 &
    STARTED="$STARTED $!"
}

# Ends what the test started, in all namespaces, and removes its traces.
world_down() {
    code=$?
    for name in "$MAIL" "$WORLD"; do
        ip netns pids "$name" 2>/dev/null | xargs -r kill -9 2>/dev/null || true
    done
    [ -z "$STARTED" ] || kill -9 $STARTED 2>/dev/null || true
    for place in $MOUNTED; do umount -l "$place" 2>/dev/null || true; done
    ip netns del "$MAIL" 2>/dev/null || true
    ip netns del "$WORLD" 2>/dev/null || true
    if [ -n "${KEEP:-}" ] || [ "$code" != 0 ]; then echo "kept: $RUN"; else rm -rf "$RUN"; fi
    exit "$code"
}

wait_for() {
    tries=0
    until eval "$1" >/dev/null 2>&1; do
        tries=$((tries + 1))
        [ "$tries" -lt 100 ] || { echo "waited in vain for: $1" >&2; exit 1; }
        sleep 0.1
    done
}

world_up() {
    trap world_down EXIT
    trap 'exit 130' INT TERM
    ip netns add "$MAIL"
    ip netns add "$WORLD"
    ip -n "$MAIL" link set lo up
    ip -n "$WORLD" link set lo up
    ip -n "$MAIL" link add world type veth peer name mail netns "$WORLD"
    ip -n "$MAIL" addr add 10.66.0.1/24 dev world
    ip -n "$MAIL" link set world up
    ip -n "$WORLD" addr add 10.66.0.2/24 dev mail
    ip -n "$WORLD" link set mail up
    for last in 3 10 11 12 13 14 15 16 17 18 19 20; do
        ip -n "$WORLD" addr add "10.66.0.$last/24" dev mail
    done
    python3 "$TESTING/world.py" prepare "$RUN"
    start knot in_world knotd -c "$RUN/knot.conf"
    wait_for "keymgr -c $RUN/knot.conf . ds | grep ' DS '"
    keymgr -c "$RUN/knot.conf" . ds >"$RUN/anchor"
    start world in_world python3 "$TESTING/world.py" serve "$RUN"
    start unbound in_mail unbound -c "$RUN/unbound.conf"
    wait_for "grep serving $RUN/world.log"
    start waxseal in_mail "$WAXSEAL" serve --config "$RUN/waxseal.toml"
    wait_for "grep 'resolver ' $RUN/waxseal.log"
    grep -q 'validates DNSSEC' "$RUN/waxseal.log" || { cat "$RUN/waxseal.log"; exit 1; }
}

# A Debian tree with the packages $2 (names with commas), made once, at $TREES/$1.
tree() {
    TREE=$TREES/$1
    [ -d "$TREE" ] && return
    mkdir -p "$TREES"
    rm -rf "$TREE.partial"
    echo "making $TREE (a minute or two)"
    debootstrap --variant=minbase --include=ca-certificates "$SUITE" "$TREE.partial" \
        >"$RUN/tree.log" 2>&1
    # No package may start its daemon; some look into /proc for one to stop.
    printf '#!/bin/sh\nexit 101\n' >"$TREE.partial/usr/sbin/policy-rc.d"
    chmod 755 "$TREE.partial/usr/sbin/policy-rc.d"
    mount -t proc proc "$TREE.partial/proc"
    MOUNTED="$TREE.partial/proc $MOUNTED"
    DEBIAN_FRONTEND=noninteractive chroot "$TREE.partial" \
        apt-get install -y --no-install-recommends $(echo "$2" | tr , ' ') >>"$RUN/tree.log" 2>&1
    umount "$TREE.partial/proc"
    mv "$TREE.partial" "$TREE"
}

# Gives the tree the world's resolver, the world's authority, and Waxseal's sockets.
furnish() {
    cp "$RUN/resolv.conf" "$TREE/etc/resolv.conf"
    echo "127.0.0.1 localhost mail.sender.example" >"$TREE/etc/hosts"
    cp "$RUN/ca.pem" "$TREE/etc/ssl/certs/ca-certificates.crt"
    mkdir -p "$TREE/var/lib/waxseal"
    for pair in "$RUN/state $TREE/var/lib/waxseal" "/proc $TREE/proc" "/dev $TREE/dev"; do
        set -- $pair
        mount --bind "$1" "$2"
        MOUNTED="$2 $MOUNTED"
    done
}

in_tree() { in_mail chroot "$TREE" "$@"; }

# counts DOMAIN: how many letters for it were taken.
counts() { grep -c "^$1 " "$RUN/letters" || true; }

# expect DOMAIN COUNT WHY
expect() {
    found=$(counts "$1")
    how=$(sed -n "s/^$1 //p" "$RUN/letters" | sort -u | tr '\n' ' ')
    if [ "$found" = "$2" ]; then verdict=ok; else verdict=WRONG; FAILED=1; fi
    printf '%-5s %-20s %s letters %-11s %s\n' "$verdict" "$1" "$found" "$how" "$3"
}

FAILED=
finish() { [ -z "$FAILED" ] && echo "$1: as expected"; [ -z "$FAILED" ]; }

DOMAINS="enforced.example wrong-cert.example self-signed.example stripped.example
redirected.example testing.example plain.example wildcard.example deep.example dane.test
dane-wrong.test"

# Without Waxseal the attacker gets every letter: the test can fail.
expect_unprotected() {
    echo "--- $1 without Waxseal"
    for domain in enforced.example wrong-cert.example self-signed.example stripped.example \
        redirected.example testing.example plain.example wildcard.example deep.example; do
        expect "$domain" 1 "nothing protects it"
    done
}

expect_protected() {
    echo "--- $1 with Waxseal"
    expect enforced.example 1 "MTA-STS, the right certificate"
    expect wrong-cert.example 0 "MTA-STS, a certificate for another name"
    expect self-signed.example 0 "MTA-STS, a certificate that nobody trusted signed"
    expect stripped.example 0 "MTA-STS, no STARTTLS"
    expect redirected.example 0 "MTA-STS, a forged MX record to a host with a good certificate"
    expect wildcard.example 1 "MTA-STS, a host that fits the pattern *.wildcard.example"
    expect deep.example 0 "MTA-STS, a host one label too deep for *.deep.example"
    expect testing.example 1 "MTA-STS in testing: nothing is enforced"
    expect plain.example 1 "no policy"
}
