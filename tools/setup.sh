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
#   TORCH_INDEX_URL=URL tools/setup.sh      take PyTorch from this package index, e.g. that of its CPU wheels
set -euo pipefail
unset CDPATH  # with it, cd prints where it goes, and may go elsewhere

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)"
venv="${root}/.venv"
pins="${root}/tools/constraints.txt"
# Two lines: the checkout that .venv was made for, and the setup.py and the pins that are installed.
stamp="${venv}/spner.stamp"
finished="${root}"$'\n'"$(cat "${root}/setup.py" "${pins}" | cksum)"
index="${TORCH_INDEX_URL:-}"
export PIP_USER=0 PIP_DISABLE_PIP_VERSION_CHECK=1
unset PYTHONPATH PYTHONHOME  # what they add would count as installed

say() { echo "setup: $*" >&2; }
fail() { say "$*"; exit 2; }
ask() { "$1" "${root}/tools/environment.py" "${@:2}"; }
use() { echo "$1/bin"; exit 0; }

use_if_complete() {  # use_if_complete ENVIRONMENT [--dev]
    local lacking
    [[ -x "$1/bin/python" ]] || return 0
    lacking="$(ask "$1/bin/python" missing "${@:2}")" && use "$1"
    say "the environment $1 lacks ${lacking}"
}

fits() {  # whether .venv works, here, and has the Python that is asked for
    local found made_for="${root}"
    [[ ! -e "${stamp}" ]] || read -r made_for < "${stamp}"
    found="$(ask "${venv}/bin/python" version 2> /dev/null)" &&
        [[ "${made_for}" == "${root}" && "${found}" == "${version:-"${found}"}" ]]
}

use_if_finished() {
    if fits && [[ "$(cat "${stamp}" 2> /dev/null)" == "${finished}" ]]; then
        use "${venv}"
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
    [[ ! -e "${venv}" || -e "${stamp}" ]] ||
        fail "${venv} cannot be used and was not made by tools/setup.sh; remove it, or activate another environment"
    say "making ${venv} with ${python}: some 6 GB, 2 GB with PyTorch's CPU wheels, some minutes"
    "${python}" -m venv --clear "${venv}" >&2 || fail "${python} could not make ${venv}"
}

install() {
    local folder python="${venv}/bin/python"
    # pip takes a package for installed before its scripts are there; it writes INSTALLER after them.
    for folder in "${venv}"/lib/python*/site-packages/*.dist-info; do
        [[ ! -d "${folder}" || -e "${folder}/INSTALLER" ]] || rm -r "${folder}"
    done
    "${python}" -m pip --version > /dev/null 2>&1 || "${python}" -m ensurepip >&2 || return
    # pip 26.3 refuses ESPnet 202511's dependency ci_sdr, because one of its extras names git URLs.
    "${python}" -m pip install "pip<26.3" >&2 || return
    if [[ -z "${index}" ]]; then
        # A folder has no hash, so what it needs is installed before it.
        "${python}" -m pip install --require-hashes --requirement "${pins}" >&2 &&
            "${python}" -m pip install --no-deps --no-build-isolation --editable "${root}" >&2
        return
    fi
    # PyTorch's own index has builds such as 2.11.0+cpu, which pip prefers to the 2.11.0 of the default index. Their
    # hashes and what they need are others: here the pins hold without hashes.
    sed -e '/--hash/d' -e 's/ \\$//' "${pins}" > "${venv}/constraints.txt"
    "${python}" -m pip install --extra-index-url "${index}" --constraint "${venv}/constraints.txt" \
        --editable "${root}[dev]" >&2
}

if [[ $# -gt 1 || "${1:---dev}" != --dev ]]; then
    fail "unknown option ${*@Q}; the only one is --dev, and PYTHON and TORCH_INDEX_URL are read from the environment"
fi
version=''
if [[ -n "${PYTHON:-}" ]]; then
    version="$(ask "${PYTHON}" version 2>&1)" ||
        fail "PYTHON=${PYTHON}: ${version//$'\n'/ }; name another, such as PYTHON=python3.12"
elif [[ -z "${index}" ]]; then
    for environment in "${VIRTUAL_ENV:-}" "${CONDA_PREFIX:-}"; do
        # An active .venv is judged by its stamp.
        [[ "${environment}/spner.stamp" -ef "${stamp}" ]] || use_if_complete "${environment}" "$@"
    done
    [[ ! -L "${venv}" ]] || use_if_complete "${venv}" "$@"
fi
[[ ! -L "${venv}" ]] || fail "${venv} is a symbolic link, and what it leads to is left as it is; remove the link"
use_if_finished
python="${PYTHON:-$(find_python)}"

# One set-up at a time. Open for appending because some network file systems lock only writable files.
exec 9>> "${root}/setup.py"
"${python}" -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX)'
use_if_finished
fits || make_venv
echo "${root}" > "${stamp}"
say "installing into ${venv}"
install || fail "the installation into ${venv} failed, see above; what is there is kept, run this again to continue." \
    "Python 3.11 and 3.13 need a C++ compiler (g++ or clang++) here, Python 3.12 does not"
echo "${finished}" > "${stamp}.new" && mv "${stamp}.new" "${stamp}"
say "ready; to use it in this shell: source .venv/bin/activate"
use "${venv}"
