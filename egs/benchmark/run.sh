#!/usr/bin/env bash
# The paper's comparison: runs the cells that are not finished, then collects. Options: egs/benchmark/run.sh --help
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"

PATH="$("${root}/tools/setup.sh"):${PATH}"
export PATH PYTHONPATH="${root}" PYTHONUNBUFFERED=1
exec python -m spner benchmark --egs "${root}/egs" "$@"
