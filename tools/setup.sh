#!/usr/bin/env bash
# Makes the environment, if there is none, and prints the folder to put in front of PATH:
#
#   PATH="$(tools/setup.sh):${PATH}"
#
# An active virtual or conda environment that meets setup.py's requirements is used as it is; otherwise .venv at the
# top of the checkout is made, continued or, when nothing changed, used at once.
#
#   tools/setup.sh --dev                    an active environment must also have what the tests need; .venv always has
#   PYTHON=python3.12 tools/setup.sh        make .venv with this interpreter
#   TORCH_INDEX_URL=URL tools/setup.sh      take torch and torchaudio from this package index, e.g. PyTorch's CPU wheels
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)"
venv="${root}/.venv"
stamp="${venv}/spner.stamp"
index="${TORCH_INDEX_URL:-}"
export PIP_USER=0 PIP_DISABLE_PIP_VERSION_CHECK=1
unset PYTHONPATH PYTHONHOME  # what they add would count as installed

say() { echo "setup: $*" >&2; }
fail() { say "$*"; exit 2; }
ask() { "$1" "${root}/tools/environment.py" "${@:2}"; }

use() {  # use BIN: answer the caller
    echo "$1"
    exit 0
}

use_active_environment() {
    local prefix lacking
    for prefix in "${VIRTUAL_ENV:-}" "${CONDA_PREFIX:-}"; do
        # A .venv with a stamp is judged by the stamp.
        if [[ -x "${prefix}/bin/python" && ! "${prefix}/spner.stamp" -ef "${stamp}" ]]; then
            lacking="$(ask "${prefix}/bin/python" missing "$@")" && use "${prefix}/bin"
            say "the active environment ${prefix} lacks ${lacking}; using ${venv}"
        fi
    done
}

# The stamp: checksum of the setup.py that is installed ("unfinished" before that), checkout, Python, PyTorch's index.
write_stamp() { printf '%s\n' "$1" "${root}" "${version}" "${index}" > "${stamp}.new" && mv "${stamp}.new" "${stamp}"; }
read_stamp() {
    made_of=unknown made_for="${root}" made_with='' made_from=''
    if [[ -f "${stamp}" ]]; then
        { read -r made_of; read -r made_for; read -r made_with; read -r made_from; } < "${stamp}" || true
    fi
}

misfit() {  # print why .venv cannot be what was asked for; nothing when it can
    if [[ "${made_for}" != "${root}" ]]; then
        echo "was made for ${made_for}"
    elif [[ -n "${PYTHON:-}" && -n "${made_with}" && "${made_with}" != "${version}" ]]; then
        echo "has Python ${made_with}, not ${version}"
    elif [[ -n "${index}" && -f "${stamp}" && "${made_from}" != "${index}" ]]; then
        echo "has PyTorch from ${made_from:-the default index}"
    fi
}

use_finished_venv() {
    read_stamp
    if [[ -x "${venv}/bin/python" && "${made_of}" == "$(cksum < "${root}/setup.py")" && -z "$(misfit)" ]]; then
        use "${venv}/bin"
    fi
}

find_python() {
    local name
    # 3.12 comes first: it needs no compiler. On 3.11 pyworld and on 3.13 editdistance are built from C++.
    for name in python3.12 python3.13 python3.11 python3; do
        if ask "${name}" version > /dev/null 2>&1; then
            echo "${name}"
            return
        fi
    done
    fail "no usable Python among python3.12, python3.13, python3.11 and python3 on PATH;" \
        "install one with its venv module, or name it: PYTHON=/path/to/python3.12 tools/setup.sh"
}

make_venv() {
    local reason
    reason="$(misfit)"
    if [[ -z "${reason}" && -e "${venv}" ]] && ! "${venv}/bin/python" -m pip --version > /dev/null 2>&1; then
        reason="has no working pip"
    fi
    if [[ -n "${reason}" ]]; then
        say "${venv} ${reason}: making it anew"
    elif [[ -e "${venv}" ]]; then
        version="$(ask "${venv}/bin/python" version 2>&1)" ||
            fail "${venv}: ${version//$'\n'/ }; PYTHON=python3.12 tools/setup.sh makes it anew"
        index="${made_from:-${index}}"
        say "continuing with ${venv} (Python ${version})"
        return
    fi
    say "making ${venv} with Python ${version} (${python}): some 6 GB, 2 GB with PyTorch's CPU wheels, some minutes"
    "${python}" -m venv --clear "${venv}" >&2 || fail "${python} could not make ${venv}"
}

discard_half_installed() {  # pip takes a package for installed before its scripts are there; it writes INSTALLER after them
    local folder
    for folder in "${venv}"/lib/python*/site-packages/*.dist-info; do
        if [[ -d "${folder}" && ! -e "${folder}/INSTALLER" ]]; then
            rm -r "${folder}"
        fi
    done
}

pip_install() { "${venv}/bin/python" -m pip install "$@" >&2; }

install() {
    local pins=()
    # pip 26.3 refuses ESPnet 202511's dependency ci_sdr, because one of its extras names git URLs.
    pip_install "pip<26.3" || return
    if [[ -n "${index}" ]]; then
        read -r -a pins <<< "$(ask "${venv}/bin/python" pins torch torchaudio)"
        pip_install --index-url "${index}" "${pins[@]}" || return
    fi
    pip_install --editable "${root}[dev]"
}

explain_failure() {
    local folder
    say "the installation into ${venv} failed, see above; what is there is kept, run this again to continue"
    for folder in "${venv}" "${TMPDIR:-/tmp}"; do
        say "free disk space at ${folder}: $(df -Pk "${folder}" | awk 'NR == 2 { print int($4 / 1024) }') MB"
    done
    if [[ "${version}" != 3.12 ]] && ! command -v c++ g++ clang++ > /dev/null; then
        say "there is no C++ compiler, which Python ${version} needs here: install g++, or take Python 3.12"
    fi
    exit 2
}

if [[ $# -gt 1 || "${1:---dev}" != --dev ]]; then
    fail "unknown option ${*@Q}; the only one is --dev, and PYTHON and TORCH_INDEX_URL are read from the environment"
fi
if [[ -z "${PYTHON:-}${index}" ]]; then
    use_active_environment "$@"
    version=''
    use_finished_venv
fi
python="${PYTHON:-$(find_python)}"
version="$(ask "${python}" version 2>&1)" ||
    fail "PYTHON=${python}: ${version//$'\n'/ }; name another, such as PYTHON=python3.12"
use_finished_venv

# Open for appending because some network file systems lock only writable files; nothing is written.
exec 9>> "${root}/setup.py"
ask "${python}" lock 9
SECONDS=0
use_finished_venv
make_venv
write_stamp unfinished
checksum="$(cksum < "${root}/setup.py")"
discard_half_installed
install || explain_failure
write_stamp "${checksum}"
say "ready after ${SECONDS} s; to use it in this shell: source .venv/bin/activate"
use "${venv}/bin"
