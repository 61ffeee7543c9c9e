# The six stages of every recipe. A recipe's run.sh holds settings and sources this file with its arguments.
# Each --name value sets the run.sh setting of that name; --stage and --stop_stage choose the stages.
# shellcheck shell=bash disable=SC2154  # the settings are run.sh's
set -euo pipefail

recipe="$(cd "$(dirname "${BASH_SOURCE[1]}")" && pwd)"
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
stage=1 stop_stage=6

die() { echo "$(basename "${recipe}")/run.sh: error: $*" >&2; exit 2; }

settings=(stage stop_stage $(sed -n 's/^\([a-z_]*\)=.*/\1/p' "${recipe}/run.sh"))
while [ $# -gt 0 ]; do
    name="${1#--}"
    [[ " ${settings[*]} " == *" ${name} "* && "$1" == --* ]] || die "no option $1 (there are: ${settings[*]/#/--})"
    [ $# -gt 1 ] || die "option $1 needs a value"
    printf -v "${name}" '%s' "$2"
    shift 2
done
[[ "${stage}" =~ ^[1-6]$ && "${stop_stage}" =~ ^[1-6]$ ]] || die "--stage and --stop_stage are 1 to 6"

PATH="$("${root}/tools/setup.sh"):${PATH}"
export PATH PYTHONPATH="${root}" PYTHONUNBUFFERED=1
spner() { python -m spner "$@"; }
cd "${recipe}"

# The lock lasts as long as this shell and the commands it runs; a second run in the folder is refused.
exec 9>> .lock
python -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX | fcntl.LOCK_NB)' 2> /dev/null ||
    die "another run is at work in ${recipe}; wait for it or stop it"

if [ "${corpus}" = mini ]; then
    name=mini
else
    name="$(basename "$(dirname "${corpus}")")_$(basename "${corpus}")"
fi
data="data/${name}"
tag="${tag:-${name}_${system}}"
dump="dump/${tag}"
exp="exp/${tag}"
configs=(--config "${root}/conf/${train_config}")
[ ! -f "conf/${train_config}" ] || configs+=(--config "conf/${train_config}")
for setting in ${train_opts}; do configs+=(--set "${setting}"); done

step() {  # step N "name" command...: run the command when stage N is asked for; log it, its time and its exit code
    local number="$1" title="$2" log="${exp}/log/stage$1.log" begin="${SECONDS}" code=0
    shift 2
    [ "${stage}" -le "${number}" ] && [ "${stop_stage}" -ge "${number}" ] || return 0
    mkdir -p "${exp}/log"
    echo "stage ${number}: ${title}"
    echo "+ $(printf '%q ' "$@")" | tee -a "${log}"
    "$@" 2>&1 | tee -a "${log}" || code=$?
    echo "stage ${number}: ${title}: exit code ${code} after $((SECONDS - begin)) s" | tee -a "${log}"
    [ "${code}" -eq 0 ] || exit "${code}"
}

if [ "${corpus}" = mini ]; then
    corpus=downloads/mini
    step 1 "make the embedded corpus"   spner mini-corpus --lang "${lang}" --out "${corpus}" --nj "${nj}" ${mini_opts}
    if [ -z "${tagger}" ]; then
        tagger=exp/tagger_mini
        step 2 "generate gold text"         spner mini-text --lang "${lang}" --out downloads/mini_text/train.txt
        step 2 "train a small tagger"       spner train-tagger --train downloads/mini_text/train.txt --out "${tagger}"
    fi
fi
step 1 "prepare data"                   spner data --corpus "${corpus}" --lang "${lang}" --out "${data}" --max_broken "${max_broken}" --nj "${nj}"
step 2 "annotate entities"              spner annotate --tagger "${tagger}" --lang "${lang}" --data "${data}"
step 3 "make tokens"                    spner tokens --data "${data}" --out "${dump}" --system "${system}" --token_type "${token_type}" ${vocab_size:+--vocab_size "${vocab_size}"}
step 4 "train"                          spner train --data "${data}" --dump "${dump}" --exp "${exp}" "${configs[@]}"
step 5 "decode"                         spner decode --data "${data}" --exp "${exp}" --sets "${decode_sets}"
step 6 "score"                          spner score --data "${data}" --exp "${exp}" --sets "${decode_sets}"
