#!/usr/bin/env bash
# schemathesis against a served workspace with some history: run.sh FRESHET FOLDER
# Exits with 77 (ctest: skipped) where Python's venv or PyPI are missing.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
freshet=$(realpath "$1")
folder=$2

skip() {
  echo "skipped: $*"
  exit 77
}

command -v python3 >/dev/null || skip "there is no python3"
python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' || skip "python3 is older than 3.10"
python3 -c 'import ensurepip, venv' 2>/dev/null || skip "there is no venv (Debian: python3-venv)"

mkdir -p "$folder"
cd "$folder"
if ! cmp -s "$here/requirements.txt" venv/installed; then
  rm -rf venv
  python3 -m venv venv
  venv/bin/pip install -q --disable-pip-version-check --retries 1 --timeout 20 \
    -r "$here/requirements.txt" >pip.log 2>&1 || {
    grep -qE 'NewConnectionError|ConnectTimeout|ReadTimeout|Name or service|ProxyError|resolution' \
      pip.log && skip "PyPI is not reachable"
    cat pip.log
    exit 1
  }
  cp "$here/requirements.txt" venv/installed
fi

home=$(mktemp -d)
touch "$home/out" # which the server makes a moment later
trap 'kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; rm -rf "$home"' EXIT
export FRESHET_TOKEN=0123456789abcdef0123456789abcdef
"$freshet" demo -w "$home/w" --listen 127.0.0.1:0 --speed 100000 >"$home/out" 2>"$home/log" &
server=$!
url=
for _ in $(seq 300); do
  url=$(sed -n 's/^listening on //p' "$home/out")
  [ -n "$url" ] && break
  sleep 0.1
done
[ -n "$url" ] || { cat "$home/log"; exit 1; }
export URL=$url
venv/bin/python "$here/await_history.py"

cp "$here/schemathesis.toml" .
venv/bin/schemathesis run "$url/openapi.json" -H "Authorization: Bearer $FRESHET_TOKEN" \
  --seed 1 --report-dir "$home/report" "${@:3}"
