#!/bin/sh
# Write the hash-locked requirement files anew from pyproject.toml: the newest versions that it
# allows, for every Python and platform it supports, with no index address in them.
# Reads: PYTHON, LOCKER (the requirement of the tool that resolves).
set -eu
cd "$(dirname "$0")/.."

workshop=$(mktemp -d)
trap 'rm -rf "$workshop"' EXIT
"${PYTHON:-python3}" -m venv "$workshop/venv"
"$workshop/venv/bin/python" -m pip install -qq --disable-pip-version-check "${LOCKER:?}"

lock() { # FILE OPTION…
    file=$1
    shift
    "$workshop/venv/bin/uv" pip compile --quiet --universal --python-version 3.11 --upgrade \
        --generate-hashes --no-emit-index-url --no-header "$@" pyproject.toml \
        --output-file "$file"
    printf '%s\n' "ultrai: wrote $file" >&2
}

lock requirements/dev.txt --all-extras --group build --group dev
# The demo takes the same versions: a part of dev.txt, never another resolution.
lock requirements/demo.txt --extra local --group build --constraint requirements/dev.txt
