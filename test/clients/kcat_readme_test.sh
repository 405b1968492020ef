#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# The README's example, as typed: every indented line with kcat is run by the
# shell against a new takhind. Only the port is changed, because 9092 may be
# taken where tests run.
top=$(cd "$(dirname "$0")/../.." && pwd)
build=${TAKHIN_BUILD:-$top/build}
work=$(mktemp -d)
pid=
trap '[ -n "$pid" ] && kill "$pid" 2>/dev/null; wait; rm -rf "$work"' EXIT

echo 1..1
name="the example in the README works as typed"
if ! command -v kcat >"$work/which"; then
    echo "ok 1 - $name # SKIP kcat is missing"
    exit 0
fi

fail() {
    echo "not ok 1 - $name"
    for file in "$work"/script "$work"/output "$work"/takhind.log; do
        if [ -f "$file" ]; then
            echo "# ${file##*/}:"
            sed 's/^/#   /' "$file"
        fi
    done
    echo "# $1"
    exit 1
}

port=$(python3 -c 'import socket
s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
sed -n "/kcat .*-b /s/^    *//p" "$top/README.md" | sed "s/9092/$port/" \
    >"$work/script"
[ -s "$work/script" ] || fail "the README shows no kcat command"

"$build/takhind" --set "listeners=PLAINTEXT://127.0.0.1:$port" \
    --set "log.dirs=$work/data" >"$work/takhind.log" 2>&1 &
pid=$!
until kcat -L -b "127.0.0.1:$port" -m 1 >"$work/ready" 2>&1; do
    kill -0 "$pid" 2>/dev/null || fail "takhind ended"
done

sh -e "$work/script" >"$work/output" 2>&1 || fail "a command failed"
said=$(sed -n "s/^echo '\{0,1\}\([^'|]*[^'| ]\).*kcat -P.*/\1/p" "$work/script")
[ -n "$said" ] || fail "the README produces nothing with echo"
echo "$said" | while read -r line; do
    grep -qFx "$line" "$work/output" || exit 1
done || fail "what was produced was not read back"
echo "ok 1 - $name"
