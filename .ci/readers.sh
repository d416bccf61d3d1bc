#!/usr/bin/env bash
# Programs of others that open what lsr-edge writes, in an environment of their own. target/readers/python then says how Python is called.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

folder=$(realpath -m "${CARGO_TARGET_DIR:-target}")/readers
[ -x "$folder/venv/bin/python" ] || python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check --requirement tests/readers/requirements.txt
echo "$folder/venv/bin/python" > "$folder/python"
