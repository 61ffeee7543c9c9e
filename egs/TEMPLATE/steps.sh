# What recipes with stages of their own share: options, environment, steps. run.sh sets its settings and sources this file.
# shellcheck shell=bash
set -euf -o pipefail; unset CDPATH
recipe="$(dirname "$(readlink -f "$0")")"
root="$(dirname "$(dirname "${recipe}")")"
own="$(grep '^[a-z_]*=.* # ' "${recipe}/run.sh")"  # a setting has a comment

die() { echo "$(basename "${recipe}")/run.sh: error: $*" >&2; exit 2; }
each() { local word; for word in "${@:2}"; do echo "$1 ${word}"; done; }  # each --set a b: --set a --set b

while [ $# -gt 0 ]; do
    if [ "$1" = --help ]; then
        echo "usage: $0 [--NAME VALUE ...]; names and defaults:"; printf '%s\n' "${own}" | sed 's/^/  --/'; exit
    fi
    [[ "$1" =~ ^--[a-z_]+$ && $'\n'"${own}" == *$'\n'"${1#--}="* ]] || die "no option $1; --help lists them"
    [[ $# -gt 1 && "$2" != --* ]] || die "option $1 needs a value"
    printf -v "${1#--}" '%s' "$2"; shift 2
done
# shellcheck disable=SC2154  # settings of every run.sh
[[ "${stage}:${stop_stage}" =~ ^[1-9]:[1-9]$ ]] || die "--stage ${stage} --stop_stage ${stop_stage}: expected 1 to 9"
# Paths are relative to the recipe's folder, as in all recipes.
bin="$("${root}/tools/setup.sh")"; export PATH="${bin}:${PATH}" PYTHONPATH="${root}" PYTHONUNBUFFERED=1
spner() { python -m spner "$@"; }; cd "${recipe}"

step() {  # step N "title" command...: run the command if stage N is asked for
    local number="$1" title="$2"; shift 2
    [ "${stage}" -le "${number}" ] && [ "${stop_stage}" -ge "${number}" ] || return 0
    echo "stage ${number}: ${title}"; echo "+$(printf ' %q' "$@")"
    "$@" || { local code=$?; echo "stage ${number}: ${title}: exit code ${code}" >&2; exit "${code}"; }
}
