#!/usr/bin/env bash
# The paper's comparison: runs the cells that are not finished, then collects. Options: egs/benchmark/run.sh --help
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@"  # sh run.sh
set -euo pipefail
unset CDPATH
root="$(dirname "$(dirname "$(dirname "$(readlink -f "$0")")")")"

PATH="$("${root}/tools/setup.sh"):${PATH}"
export PATH PYTHONPATH="${root}" PYTHONUNBUFFERED=1
exec python -m spner benchmark --egs "${root}/egs" "$@"
