#!/usr/bin/env bash
# Runs the whole test suite and ruff in .venv (made if needed). Arguments go to pytest, such as
# -m 'not slow', which leaves out what takes more than ten seconds, or -m gpu.
set -euo pipefail
cd "$(dirname "$0")/.."
bash tools/install.sh
.venv/bin/ruff check .

# The web page is tested in a real browser.
has_browser() { command -v chromium >/dev/null && command -v chromedriver >/dev/null; }
if ! has_browser && command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
  echo "Installing Chromium for the test of the web page"
  { apt-get -qq update && apt-get -qq install -y chromium chromium-driver; } >/dev/null || true
fi
if ! has_browser; then
  echo "WARNING: the web page is NOT tested in a browser: chromium or chromedriver is missing" \
    "(Debian: apt-get install chromium chromium-driver)" >&2
fi

# A process per core, each with one thread: many would wait for one another. A file is run by one of
# them: what its tests share is made once.
export OMP_NUM_THREADS=1
exec .venv/bin/python -m pytest -q -n auto --dist loadfile --no-loadscope-reorder "$@"
