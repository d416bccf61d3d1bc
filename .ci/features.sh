#!/usr/bin/env bash
# lsr-edge with all its features: OpenSlide and CharLS for slides, GStreamer for cameras, MQTT, from Debian's packages (as root, unless they are there);
# and a broker to test it with. target/features/binary then names the program.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
if ! command -v cmake > /dev/null || ! command -v mosquitto > /dev/null || ! command -v mosquitto_sub > /dev/null || ! pkg-config --exists openslide gstreamer-app-1.0 gstreamer-video-1.0 2> /dev/null ||
  ! ls /usr/lib/llvm-*/lib/libclang*.so* > /dev/null 2>&1 || ! ls /usr/lib/*/gstreamer-1.0/libgstpng.so > /dev/null 2>&1; then
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends libopenslide-dev libclang-dev cmake pkg-config libgstreamer1.0-dev libgstreamer-plugins-base1.0-dev \
    gstreamer1.0-plugins-base gstreamer1.0-plugins-good mosquitto mosquitto-clients > /dev/null
fi
# Optimised as it is for users, which says that such a build works too.
cargo build --locked --release -p lsr-edge --features slides,camera,mqtt
mkdir -p "$target/features"
cp "$target/release/lsr-edge" "$target/features/lsr-edge"
echo "$target/features/lsr-edge" > "$target/features/binary"
