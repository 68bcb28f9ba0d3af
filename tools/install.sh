#!/usr/bin/env bash
# Makes .venv with the tested set of packages, or re-uses it. PYTHON chooses the interpreter.
set -euo pipefail
cd "$(dirname "$0")/.."

stamp=.venv/.installed
wanted=$(cat requirements/*.txt setup.py tools/install.sh | cksum)
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then
  exit 0
fi
echo "Setting up .venv (a few minutes the first time)"
[ -x .venv/bin/python ] || "${PYTHON:-python3}" -m venv .venv
pip() { .venv/bin/python -m pip --disable-pip-version-check --quiet "$@"; }
has() {
  .venv/bin/python -c 'import importlib.metadata as m, sys; m.version(sys.argv[1])' "$1" 2>/dev/null
}
# torch first and pinned: whichever build, CPU or CUDA, pip offers on this machine.
pip install -c requirements/constraints.txt torch 'setuptools<81' wheel
# A full mmcv or the fork, where there is one, is kept: the other would overwrite its files.
host=()
has mmcv || has onedl-mmcv || host+=(mmcv-lite)
has onedl-mmengine || host+=(mmengine)
pip install -c requirements/constraints.txt torchvision "${host[@]}" \
  -r requirements/runtime.txt -r requirements/tests.txt -r requirements/digits.txt \
  -r requirements/analysis.txt -r requirements/segmentation.txt -r requirements/evaluation.txt \
  -r requirements/export.txt -r requirements/demo.txt -r requirements/docs.txt
# Most of what it asks for is for models that nobody here uses.
pip install -c requirements/constraints.txt --no-deps mmagic
pip install --no-deps --no-build-isolation -e .
echo "$wanted" >"$stamp"
