#!/usr/bin/env bash
# Runs the whole test suite and ruff in .venv (made if needed). Arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."
bash tools/install.sh
.venv/bin/ruff check .
exec .venv/bin/python -m pytest -q "$@"
