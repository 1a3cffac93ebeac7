#!/bin/sh
# Make `tests/clients/js/node_modules` hold what its lock file says: the official JavaScript client,
# which the tests let talk to the simulator.
#
# Does nothing when that is so already: `node_modules/.lock` keeps what was installed. Without Node
# it says so and succeeds: the tests of that client are skipped then, except where CI=true.
set -eu

cd "$(dirname "$0")/../tests/clients/js"
stamp=node_modules/.lock

say() { printf '%s\n' "ultrai: $*" >&2; }

wanted() { # the text whose change means a new install
    cat package.json package-lock.json
}

if [ -f "$stamp" ] && wanted | cmp -s - "$stamp"; then
    exit 0
fi
for tool in node npm; do
    if ! command -v "$tool" >/dev/null 2>&1; then
        say "no '$tool' here: the JavaScript client is NOT tested (Debian, Ubuntu: apt-get install nodejs npm)"
        exit 0
    fi
done
say "installing the JavaScript client for the tests"
if ! npm ci --prefer-offline --no-audit --no-fund --loglevel=error >&2; then
    say "that did not work: the JavaScript client is NOT tested (run it again to go on)"
    [ "${CI:-}" != true ] || exit 1
    exit 0
fi
wanted >"$stamp"
