#!/usr/bin/env bash
# Runs the tests, making the environment first if need be; stops at the first failure with its exit code.
#
#   tools/test.sh [all]    linters, unit tests, then what trains and decodes with ESPnet (minutes) or needs a GPU
#   tools/test.sh unit     linters and unit tests (seconds)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

tier="${1:-all}"
if [[ $# -gt 1 || ! "${tier}" =~ ^(all|unit)$ ]]; then
    echo "tools/test.sh: found ${*@Q}, expected all or unit" >&2
    exit 2
fi

run() {
    echo "+ $*"
    "$@"
}

bin="$(tools/setup.sh --dev)"
export PATH="${bin}:${PATH}" PYTHONPATH="${PWD}"
run ruff check .
run ruff format --check .
run mypy
run shellcheck .ci/run tools/*.sh egs/*/*.sh
run python -m pytest
if [[ "${tier}" == all ]]; then
    run python -m pytest -m "espnet or gpu" --timeout 900
fi
