# The six stages of every recipe. A recipe's run.sh holds settings and sources this file with its arguments.
# --name value sets the run.sh setting of that name, to several values where several follow; --stage and --stop_stage
# choose the stages.
# shellcheck shell=bash disable=SC2154  # the settings are run.sh's
set -euo pipefail

recipe="$(cd "$(dirname "${BASH_SOURCE[1]}")" && pwd)"
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
stage=1 stop_stage=6

die() { echo "$(basename "${recipe}")/run.sh: error: $*" >&2; exit 2; }

settings="stage stop_stage $(sed -n 's/^\([a-z_]*\)=.*/\1/p' "${recipe}/run.sh" | tr '\n' ' ')"
while [ $# -gt 0 ]; do
    name="${1#--}"
    [[ "$1" == --* && " ${settings}" == *" ${name} "* ]] || die "no option $1; there are: ${settings}"
    [ $# -gt 1 ] || die "option $1 needs a value"
    printf -v "${name}" '%s' "$2"
    shift 2
    while [ $# -gt 0 ] && [[ "$1" != --* ]]; do printf -v "${name}" '%s %s' "${!name}" "$1"; shift; done
done
[[ "${stage}" == [1-6] && "${stop_stage}" == [1-6] ]] || die "--stage ${stage} --stop_stage ${stop_stage}: expected 1 to 6"
[ -z "${model}" ] || [ -z "${init}${join}${decode_config}" ] ||
    die "--model: trains nothing, no language model either; leave --init, --join and --decode_config out"

PATH="$("${root}/tools/setup.sh"):${PATH}"
export PATH PYTHONPATH="${root}" PYTHONUNBUFFERED=1
spner() { python -m spner "$@"; }
cd "${recipe}"

name="$(basename "$(dirname "${corpus}")")_$(basename "${corpus}")" embedded=""
[[ "${corpus}" != *.json ]] || name="$(basename "${corpus}" .json)"
[[ ! "${corpus}" =~ ^mini(_[[:alnum:]]+)*$ ]] || name="${corpus}" embedded=yes
data="data/${name}"
named() { echo "$(basename "$(realpath -m "$1/../..")")_$(basename "$1")"; }  # ../cv_de/exp/mini_e2e: cv_de_mini_e2e
variant=""
[ "${fraction}" = 100 ] || variant+="_${fraction}"
variant+="${seed:+_s${seed}}"
for other in ${join}; do variant+="_and_$(basename "${other}")"; done
[ -z "${init}" ] || variant+="_from_$(named "${init}")"
[ -z "${model}" ] || variant="_by_$(named "${model}")"
tag="${tag:-${name}_${system}${variant}}"
exp="exp/${tag}"
acoustic="${tag}"  # what stages 3 to 5 make: for the pipeline, the recogniser of --system asr
[ "${system}" != pipeline ] || acoustic="${name}_asr${variant}"
dump="dump/${acoustic}"

# Runs of other tags may go on at the same time. The lock lasts as long as this shell and the commands it runs.
mkdir -p exp
exec 9>> "exp/.${acoustic}.lock"
python -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX | fcntl.LOCK_NB)' 2> /dev/null ||
    die "another run is at work on ${recipe}/exp/${acoustic}; wait for it or stop it"

if [ -z "${train_config}" ]; then  # XLS-R is not for CPUs
    train_config=train_mini.yaml
    [ -n "${embedded}" ] || ! nvidia-smi -L > /dev/null 2>&1 || train_config=train_xlsr.yaml
fi
train=(--config "${root}/conf/${train_config}")
[ ! -f "conf/${train_config}" ] || train+=(--config "conf/${train_config}")
for option in ${train_opts} ${seed:+seed="${seed}"}; do train+=(--set "${option}"); done
joined=(); for other in ${join}; do joined+=(--join "${other}"); done
read -ra mini <<< "${mini_opts}"; read -ra beginning <<< "${init_opts}"
decode=()
if [ -n "${decode_config}" ]; then
    decode=(--decode_config "${root}/conf/${decode_config}" --lm "exp/${acoustic}/lm" --nj "${nj}")
    [ ! -f "conf/${decode_config}" ] || decode+=(--decode_config "conf/${decode_config}")
fi
read -ra lm <<< "${lm_opts}"

step() {  # step N "title" command...: run the command if stage N is asked for; keep its output, time and exit code
    local number="$1" title="$2" log="${exp}/log/stage$1.log" begin="${SECONDS}" code=0
    shift 2
    [ "${stage}" -le "${number}" ] && [ "${stop_stage}" -ge "${number}" ] || return 0
    mkdir -p "${exp}/log"
    { echo "stage ${number}: ${title}"; echo "+$(printf ' %q' "$@")"; } | tee -a "${log}"
    SPNER_LOG="${log}" "$@" > >(tee -a "${log}") || code=$?
    echo "stage ${number}: ${title}: exit code ${code} after $((SECONDS - begin)) s" | tee -a "${log}"
    [ "${code}" -eq 0 ] || exit "${code}"
}

if [ -n "${embedded}" ]; then
    corpus="downloads/${name}"
    step 1 "make the mini corpus" spner mini-corpus --lang "${lang}" --out "${corpus}" --nj "${nj}" "${mini[@]}"
fi
step 1 "prepare data" spner data --corpus "${corpus}" --lang "${lang}" --out "${data}" \
    --max_broken "${max_broken}" --nj "${nj}" ${clips:+--clips "${clips}"}
if [ -n "${embedded}" ]; then
    gold="downloads/${name}_text.txt"
    step 2 "generate gold text" spner mini-text --corpus "${corpus}" --out "${gold}" --num_sentences "${mini_text}"
    if [ -z "${tagger}" ]; then
        tagger="exp/tagger_${name}"
        step 2 "train a small tagger" spner train-tagger --train "${gold}" --out "${tagger}" --epochs 8
    fi
    if [ "${system}" = pipeline ] && [ -z "${speech_tagger}" ]; then
        speech_tagger="exp/tagger_${name}_speech"
        step 2 "train a tagger of recognised words" spner train-tagger --train "${gold}" --out "${speech_tagger}" \
            --epochs 8 --match_speech --lang "${lang}"
    fi
fi
step 2 "annotate entities" spner annotate ${tagger:+--tagger "${tagger}"} --lang "${lang}" --data "${data}"
if [ -z "${model}" ]; then
    step 3 "make tokens" spner tokens --data "${data}" --out "${dump}" --system "${system/pipeline/asr}" \
        --token_type "${token_type}" ${vocab_size:+--vocab_size "${vocab_size}"} --fraction "${fraction}" "${joined[@]}"
    step 4 "train" spner train --data "${data}" --dump "${dump}" --exp "exp/${acoustic}" "${train[@]}" \
        ${init:+--init "${init}"} "${beginning[@]}"
fi
if [ -n "${decode_config}" ]; then
    step 5 "estimate the language model" spner lm --dump "${dump}" --out "exp/${acoustic}/lm" --lang "${lang}" "${lm[@]}"
    step 5 "tune the search on dev" spner tune --data "${data}" --exp "exp/${acoustic}" "${decode[@]}"
fi
step 5 "decode" spner decode --data "${data}" --exp "exp/${acoustic}" --sets "${sets}" "${decode[@]}" \
    ${boost:+--boost "${boost}"} ${model:+--model "${model}"}
step 5 "calibrate confidences" spner calibrate --data "${data}" --exp "exp/${acoustic}"
if [ "${system}" = pipeline ]; then
    speech_tagger="${speech_tagger:-${tagger}}"
    step 5 "tag what was decoded" spner pipeline --asr "exp/${acoustic}" --exp "${exp}" --sets "${sets}" \
        --lang "${lang}" ${speech_tagger:+--tagger "${speech_tagger}"}
    step 5 "calibrate confidences" spner calibrate --data "${data}" --exp "${exp}"
fi
step 6 "score" spner score-exp --data "${data}" --exp "${exp}" --sets "${sets}"
