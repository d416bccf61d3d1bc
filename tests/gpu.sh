#!/usr/bin/env bash
# Everything that is checked and measured on a GPU, in one command and in as many seconds as it is given (--budget).
#
#   tests/gpu.sh build [--output DIR]    where cargo is: builds with CUDA and puts all that `run` needs into DIR (target/gpu unless given)
#   tests/gpu.sh [run] [FLAGS]           where the GPU is, from the repository or as DIR/gpu.sh: writes gpu.json, gpu.md and logs, and exits with 1
#                                        where a bar is missed or a part of it was not run; `tests/gpu.sh run --help` has the flags
#
# `run` needs the NVIDIA driver, NVRTC, the CUDA headers and Python 3.8 or later (its standard library alone), and neither cargo nor a network.
# `run --device cpu --steps 20 --batch 6 --size 96` rehearses it without a GPU.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# What is carried to the machine with the GPU may be at most this large, in bytes.
most=60000000

fail() {
  echo "gpu.sh: $1" >&2
  exit 1
}

build() {
  local output=""
  while [ $# -gt 0 ]; do
    case $1 in
      --output) [ $# -gt 1 ] || fail "--output: expected a folder"; output=$(realpath -m "$2"); shift 2 ;;
      *) fail "build: expected --output DIR, found '$1'" ;;
    esac
  done
  cd "$here/.."
  output=${output:-$PWD/target/gpu}
  local messages
  messages=$(cargo build --locked --release -p lsr-train -p lsr-tests --features lsr-tests/cuda --bin lsr-train --test gpu \
    --message-format json-render-diagnostics)
  mkdir -p "$output/gpu" "$output/compare"
  stage "$messages" bin lsr-train "$output/lsr-train.gz"
  stage "$messages" test gpu "$output/gpu-tests.gz"
  cp tests/gpu.sh "$output/"
  cp tests/gpu/*.py "$output/gpu/"
  cp tests/compare/train.py "$output/compare/"
  local changed=""
  [ -z "$(git status --porcelain --untracked-files=no)" ] || changed=" with changes"
  echo "$(git rev-parse HEAD)$changed" >"$output/commit"
  local size
  size=$(cd "$output" && cat gpu.sh commit ./*.gz gpu/*.py compare/*.py | wc -c)
  echo "$output: $size bytes"
  [ "$size" -le "$most" ] || fail "expected at most $most bytes to carry, found $size"
}

# The executable of a kind and name, out of cargo's messages, without its symbols and packed: the two are 185 MB otherwise.
stage() {
  local executable
  executable=$(sed -n "s/.*\"kind\":\[\"$2\"\][^}]*\"name\":\"$3\".*\"executable\":\"\([^\"]*\)\".*/\1/p" <<<"$1")
  [ -f "$executable" ] || fail "cargo names no executable for the $2 $3: '$executable'"
  strip -o "$4.tmp" "$executable"
  gzip -c "$4.tmp" >"$4"
  rm "$4.tmp"
}

run() {
  command -v python3 >/dev/null || fail "expected python3 (3.8 or later), found none"
  local packed=$here
  [ -f "$here/lsr-train.gz" ] || packed=${here%/*}/target/gpu
  unpacked=$(mktemp -d)
  trap 'rm -rf "$unpacked"' EXIT
  for name in lsr-train gpu-tests; do
    [ -f "$packed/$name.gz" ] || fail "no $name.gz in $here or ${here%/*}/target/gpu: tests/gpu.sh build"
    gzip -dc "$packed/$name.gz" >"$unpacked/$name"
    chmod +x "$unpacked/$name"
  done
  python3 "$here/gpu/measure.py" --binaries "$unpacked" --commit "$(cat "$packed/commit")" --output "$packed" "$@"
}

case ${1:-run} in
  build) shift; build "$@" ;;
  run) shift $(($# > 0)); run "$@" ;;
  -*) run "$@" ;;
  *) fail "expected build or run, found '$1'" ;;
esac
