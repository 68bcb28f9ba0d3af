#!/usr/bin/env bash
# Runs the whole test suite and ruff in .venv (made if needed). Arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."
bash tools/install.sh
.venv/bin/ruff check .
# A process per core, each with one thread: many would wait for one another. A file is run by one of
# them: what its tests share is made once.
export OMP_NUM_THREADS=1
exec .venv/bin/python -m pytest -q -n auto --dist loadfile --no-loadscope-reorder "$@"
