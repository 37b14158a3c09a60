#!/usr/bin/env sh
# Takes Silero VAD (MIT) out of its Python package: examples/speech/models/vad/model.pt. Needs pip and unzip; nothing is installed.
set -eu
cd "$(dirname "$0")"
download=$(mktemp -d)
trap 'rm -r "$download"' EXIT
python3 -m pip download --quiet --no-deps --dest "$download" silero-vad==6.2.3
unzip -q -o -j "$download"/silero_vad-*.whl silero_vad/data/silero_vad.jit -d "$download"
mv "$download/silero_vad.jit" models/vad/model.pt
echo "models/vad/model.pt is there"
