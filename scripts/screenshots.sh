#!/bin/bash
# Remakes the pictures of README.md and docs/page.md from data sets: scripts/screenshots.sh [EBREC]
#
# Needs Debian's chromium, nodejs and npm.
set -euo pipefail
cd "$(dirname "$0")/.."
ebrec=${1:-target/release/ebrec}
modules=target/browser
mkdir -p "$modules"
cp tests/browser/package.json tests/browser/package-lock.json "$modules"
[ -d "$modules/node_modules" ] || npm ci --silent --prefix "$modules"
pages=$(mktemp -d)
trap 'rm -rf "$pages"' EXIT

shot() { # DATASET PICTURE FRAGMENT WIDTH HEIGHT [OPEN]
	[ -f "$pages/$1.html" ] || "$ebrec" report --html "$pages/$1.html" -t "datasets/$1/trace"
	node tests/browser/shots.mjs "$modules" "$pages/$1.html" "docs/$2.png" "$3" "$4" "$5" light "${6:-}"
}

shot web page "" 1280 1330
shot memory page-leak "#s=r-leaks" 1280 620
shot locks page-locks "#s=r-bottlenecks" 1280 700
shot intrusion page-scan "#s=check-port_scan" 1280 560 "#check-port_scan details summary"
