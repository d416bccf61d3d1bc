#!/usr/bin/env bash
# A browser for the tests of the page: Debian's Chromium (as root, unless it is there) and what drives it, from npm.
# target/browser/chromium then names the browser.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

folder=$(realpath -m "${CARGO_TARGET_DIR:-target}")/browser
if ! command -v chromium > /dev/null; then
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core > /dev/null
fi
npm ci --silent --prefix tests/browser
mkdir -p "$folder"
command -v chromium > "$folder/chromium"
