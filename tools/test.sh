#!/usr/bin/env bash
# Checks the code, making the environment first if need be; stops at the first failure with its exit code.
#
#   tools/test.sh               linters, types and every test (minutes)
#   tools/test.sh unit          the same without the tests that train or decode with ESPnet (a minute)
#   tools/test.sh lint          linters and types alone (seconds)
#   tools/test.sh PATH...       these tests alone, whatever they need; takes what pytest takes, such as FILE::TEST or -k
set -euo pipefail
unset CDPATH
cd "$(dirname "${BASH_SOURCE[0]}")/.."

run() {
    echo "+ $*"
    "$@"
}

lint() {
    run ruff check .
    run ruff format --check .
    run mypy
    run shellcheck .ci/run tools/*.sh egs/*/*.sh
}

# Two processes of one thread each; a file's tests share what they train, so they stay in one process.
in_two() { run python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder "$@"; }

bin="$(tools/setup.sh --dev)"
export PATH="${bin}:${PATH}" PYTHONPATH="${PWD}" OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
unset PYTHON TORCH_INDEX_URL  # tests run tools/setup.sh, too, which shall take the environment at hand
case "${*:-all}" in
all)
    lint
    in_two
    ;;
unit)
    lint
    in_two -m "not espnet"
    ;;
lint) lint ;;
*) run python -m pytest "$@" ;;
esac
