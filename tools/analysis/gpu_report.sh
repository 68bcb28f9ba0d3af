#!/usr/bin/env bash
# Everything that wants a GPU, in at most nine minutes on one card and without a network.
# Usage: bash tools/analysis/gpu_report.sh OUT [--wheels DIR] [--dry-run]
# PYTHON chooses the interpreter; otherwise it is .venv's, or python3 where there is none.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
python=${PYTHON:-$root/.venv/bin/python}
[ -n "${PYTHON:-}" ] || [ -x "$python" ] || python=python3
export PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}"
exec "$python" "$root/tools/analysis/gpu_report.py" "$@"
