#!/usr/bin/env bash
# The page in a real browser: run.sh FRESHET FOLDER [argument of page.mjs…]
# Exits with 77 (ctest: skipped) where node, npm, the npm registry or Chromium are missing.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
freshet=$(realpath "$1")
folder=$2
shift 2

skip() {
  echo "skipped: $*"
  exit 77
}

command -v node >/dev/null || skip "there is no node (Debian: nodejs)"
command -v npm >/dev/null || skip "there is no npm (Debian: npm)"
[ "$(node -p 'process.versions.node.split(".")[0]')" -ge 18 ] || skip "node is older than 18"
for name in "${CHROMIUM:-chromium}" chromium-browser google-chrome; do
  chromium=$(command -v "$name") && break
done
[ -n "${chromium:-}" ] || skip "there is no Chromium (Debian: chromium)"

mkdir -p "$folder"
cd "$folder"
cp "$here"/{package.json,package-lock.json,.npmrc} .
if ! cmp -s package-lock.json node_modules/.installed; then
  npm ci --prefer-offline --fetch-retries=1 --fetch-timeout=20000 >npm.log 2>&1 || {
    grep -qE 'EAI_AGAIN|ENOTFOUND|ECONN|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|network' npm.log &&
      skip "the npm registry is not reachable"
    cat npm.log
    exit 1
  }
  cp package-lock.json node_modules/.installed
fi
cp "$here"/*.mjs .
exec node page.mjs "$freshet" "$chromium" "$@"
