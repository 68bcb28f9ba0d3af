#!/usr/bin/env bash
# Makes .venv with the tested set of packages, or re-uses it. PYTHON chooses the interpreter.
set -euo pipefail
cd "$(dirname "$0")/.."

stamp=.venv/.installed
wanted=$(cat requirements/*.txt setup.py | cksum)
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then
  exit 0
fi
echo "Setting up .venv (a few minutes the first time)"
[ -x .venv/bin/python ] || "${PYTHON:-python3}" -m venv .venv
pip() { .venv/bin/python -m pip --disable-pip-version-check --quiet "$@"; }
# torch first and pinned: whichever build, CPU or CUDA, pip offers on this machine.
pip install -c requirements/constraints.txt torch 'setuptools<81' wheel
# A full mmcv, where there is one, is kept: mmcv-lite would overwrite its files.
mmcv=mmcv-lite
if .venv/bin/python -c 'import importlib.metadata as m; m.version("mmcv")' 2>/dev/null; then
  mmcv=
fi
pip install -c requirements/constraints.txt torchvision $mmcv \
  -r requirements/runtime.txt -r requirements/tests.txt -r requirements/segmentation.txt \
  -r requirements/evaluation.txt -r requirements/export.txt -r requirements/demo.txt \
  -r requirements/docs.txt
pip install --no-deps --no-build-isolation -e .
echo "$wanted" >"$stamp"
