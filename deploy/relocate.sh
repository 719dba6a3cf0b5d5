#!/bin/sh
# relocate.sh DIRECTORY FINAL: a virtual environment made in DIRECTORY will stand at FINAL. Only the paths written into
# its scripts know where it was made; scripts nobody calls go, pip among them: the package manager updates this.
set -eu
cd "$1/bin"
find . -type f ! -name aemonitor -delete
sed -i "1s|^#!.*|#!$2/bin/python|" aemonitor
rm -rf ../lib/python3*/site-packages/pip ../lib/python3*/site-packages/pip-* ../lib/python3*/site-packages/setuptools*
