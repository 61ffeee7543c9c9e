#!/usr/bin/env bash
# The mini corpus's test set as an archive of a dozen recordings: indexed, searched, served. After egs/cv_nl/run.sh.
#
#   egs/archive/run.sh               ends with the page at http://localhost:8000
#   egs/archive/run.sh --port 8080   options of spner serve
#   egs/archive/run.sh --no_serve    ends after the search
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@"  # sh run.sh
set -euo pipefail
unset CDPATH
recipe="$(dirname "$(readlink -f "$0")")"
root="$(dirname "$(dirname "${recipe}")")"
trained="${root}/egs/cv_nl" model="exp/mini_e2e"
if [ ! -e "${trained}/${model}/decode" ]; then
    echo "egs/archive/run.sh: error: ${trained}/${model} is not there; run egs/cv_nl/run.sh first" >&2
    exit 2
fi

PATH="$("${root}/tools/setup.sh"):${PATH}"
export PATH PYTHONPATH="${root}" PYTHONUNBUFFERED=1
spner() { echo "+ spner $*" >&2; python -m spner "$@"; }

cd "${trained}"  # paths in wav.scp are relative to it
python "${recipe}/join.py" data/mini/test "${recipe}/data"
cd "${recipe}"
[ exp/nl.zip -nt "${trained}/${model}/decode" ] || spner pack "${trained}/${model}" --out exp/nl.zip
spner index data --db exp/archive.sqlite --model exp/nl.zip
spner search --names --label PER --limit 5 --db exp/archive.sqlite
spner search rabobank --db exp/archive.sqlite
spner search rababank --db exp/archive.sqlite  # nearly
if [ "${1:-}" != --no_serve ]; then
    spner serve --db exp/archive.sqlite --model exp/nl.zip "$@"
fi
