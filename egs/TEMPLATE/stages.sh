# The six stages of every recipe. A recipe's run.sh sets what differs from settings.sh and sources this file.
# The words of settings (settings.sh) and of names that follow from them (spner/core/recipe.py) are split on purpose.
# shellcheck shell=bash disable=SC2046,SC2086,SC2154
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@"  # sh run.sh
set -euf +o posix -o pipefail; unset CDPATH  # f: a word that is split is no file pattern
here="$(pwd -P)" recipe="$(dirname "$(readlink -f "$0")")"
root="$(dirname "$(dirname "${recipe}")")"
settings="${root}/egs/TEMPLATE/settings.sh"
own="$(grep '^[a-z_]*=' "${recipe}/run.sh" || true)"
known="$(sed -n 's/^\([a-z_]*\)=.*/\1/p' "${settings}")"

die() { echo "$(basename "${recipe}")/run.sh: error: $*" >&2; exit 2; }
relative() { local path="${1#"${here}/"}"; [[ "${path}" == */* ]] || path="./${path}"; printf %q "${path}"; }
each() { local word; for word in "${@:2}"; do echo "$1 ${word}"; done; }  # each --set a b: --set a --set b

# shellcheck source=settings.sh
. "${settings}"; . /dev/stdin <<< "${own}"
seen="" given="" pairs=()
while [ $# -gt 0 ]; do  # --name value, --name=value; several values up to the next option are one
    if [ "$1" = --help ]; then
        echo "usage: $0 [--NAME VALUE ...]; this recipe sets ${own//$'\n'/, }; all names and defaults:"
        exec sed -n 's/^[a-z_]*=/  --&/p' "${settings}"
    fi
    option="${1%%=*}" name="${option#--}" name="${name//-/_}"
    [[ "${option}" =~ ^--[a-z_-]+$ && $'\n'"${known}"$'\n' == *$'\n'"${name}"$'\n'* ]] ||
        die "no option ${option}; --help lists them"
    [ "$1" = "${option}" ] || set -- "${option}" "${1#*=}" "${@:2}"
    [ $# -gt 1 ] || die "option $1 needs a value"
    value="$2"; shift 2
    while [ $# -gt 0 ] && [[ "$1" != --* ]]; do value+=" $1"; shift; done
    [[ "${seen} " != *" ${name} "* || "${name}" =~ ^(sets|join|.*_opts)$ ]] || die "option ${option} is given twice"
    if [[ "${seen} " == *" ${name} "* ]]; then value="${!name} ${value}"; else seen+=" ${name}"; fi
    printf -v "${name}" '%s' "${value}"
done
for name in ${seen}; do
    [[ "${name}" =~ ^(stage|stop_stage|tag|system)$ ]] || given+=" --${name} $(printf %q "${!name}")"
done
[[ "${stage}:${stop_stage}" == [1-6]:[1-6] ]] || die "--stage ${stage} --stop_stage ${stop_stage}: expected 1 to 6"

bin="$("${root}/tools/setup.sh")"; export PATH="${bin}:${PATH}" PYTHONPATH="${root}" PYTHONUNBUFFERED=1
spner() { python -m spner "$@"; }; cd "${recipe}"
for name in ${known}; do pairs+=("${name}=${!name}"); done
names="$(spner recipe-names "${pairs[@]}")"
while IFS='=' read -r name value; do printf -v "${name}" '%s' "${value}"; done <<< "${names}"

# Runs of other tags may go on at the same time. The lock lasts as long as this shell and the commands it runs.
mkdir -p exp && exec 9>> "${lock}"
python -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX | fcntl.LOCK_NB)' 2> /dev/null ||
    die "another run is at work on ${recipe}/${model_exp}; wait for it or stop it"

step() {  # step N "title" command...: run the command if stage N is asked for; keep its output, time and exit code
    local number="$1" title="$2" log="${exp}/log/stage$1.log" begin="${SECONDS}" code=0 new=""; shift 2
    [ "${stage}" -le "${number}" ] && [ "${stop_stage}" -ge "${number}" ] || return 0
    [ -e "${exp}" ] || new=yes
    mkdir -p "${exp}/log"
    { echo "stage ${number}: ${title}"; echo "+$(printf ' %q' "$@")"; } | tee -a "${log}"
    SPNER_LOG="${log}" "$@" > >(tee -a "${log}") || code=$?
    echo "stage ${number}: ${title}: exit code ${code} after $((SECONDS - begin)) s" | tee -a "${log}"
    # What is refused at once leaves no folder with nothing but its log.
    [[ "${code}${new}" != 2yes || "$(ls -A "${exp}")" != log || $((SECONDS - begin)) -gt 60 ]] ||
        { rm -r "${exp}" "${lock}" && rmdir exp 2> /dev/null || true; }
    [ "${code}" -eq 0 ] || exit "${code}"
}

# Stage 1, data: a corpus -> data/<corpus>/<set>/{wav.scp,text,...} and the audio store
[ -n "${mini}" ] &&
    step 1 "make the mini corpus" spner mini-corpus --lang "${lang}" --out "${corpus_path}" ${nj:+--nj "${nj}"} ${mini_opts}
step 1 "prepare data" spner data --corpus "${corpus_path}" --lang "${lang}" --out "${data}" --labels "${labels}" \
    --max_broken "${max_broken}" ${nj:+--nj "${nj}"} ${clips:+--clips "${clips}"} \
    ${split_validated:+--split_validated "${split_validated}"} ${cluster_file:+--cluster "${cluster_file}"}

# Stage 2, annotate: cased sentences -> data/<corpus>/labels, <set>/entities.jsonl; first a mini corpus's tagger
[ -n "${mini}" ] &&
    step 2 "gold text" spner mini-text --corpus "${corpus_path}" --out "${gold_text}" --num_sentences "${mini_text}"
[ -n "${new_tagger}" ] &&
    step 2 "train a small tagger" spner train-tagger --train "${gold_text}" --out "${new_tagger}" --epochs 5
step 2 "annotate entities" spner annotate ${text_tagger:+--tagger "${text_tagger}"} --lang "${lang}" --data "${data}" \
    --labels "${labels}" $(each --map ${label_map}) ${cluster_file:+--cluster "${cluster_file}"}

# Stage 3, tokens: texts and entities -> dump/<tag>/token_list and dump/<tag>/<set>/text
[ -z "${model}" ] &&
    step 3 "make tokens" spner tokens --data "${data}" --out "${dump}" --fraction "${fraction}" $(each --join ${join}) \
        --system "${model_system}" --token_type "${token_type}" ${vocab_size:+--vocab_size "${vocab_size}"}

# Stage 4, train: audio and dump -> exp/<tag>, an ESPnet experiment folder; a pipeline's tagger on an E2E system's texts
[ -n "${new_words_tagger}" ] &&
    step 4 "train a tagger of recognised words" spner train-tagger --data "${data}" --out "${new_words_tagger}" \
        --fraction "${fraction}" $(each --join ${join}) ${seed:+--seed ${seed}} ${tagger_opts:-${mini:+--from_scratch}}
[ -z "${model}" ] &&
    step 4 "train" spner train --data "${data}" --dump "${dump}" --exp "${model_exp}" --num_nodes "${num_nodes}" \
        ${ngpu:+--ngpu "${ngpu}"} $(each --config ${train_configs}) ${upstream:+--set "frontend_conf.upstream=${upstream}"} \
        $(each --set ${train_opts} ${seed:+seed=${seed}}) ${init:+--init "${init}"} ${init_opts}

# Stage 5, decode: audio and the model -> exp/<tag>/decode/<search>/<set>/{text,entities.jsonl}
if [ -n "${lm}" ]; then
    step 5 "estimate the language model" spner lm --dump "${dump}" --out "${lm}" --lang "${lang}" ${lm_opts}
    step 5 "tune the search on dev" spner tune --data "${data}" --exp "${model_exp}" \
        $(each --decode_config ${search_configs}) --lm "${lm}" ${nj:+--nj "${nj}"}
fi
step 5 "decode" spner decode --data "${data}" --exp "${model_exp}" --sets "${sets}" ${model:+--model "${model}"} \
    $(each --decode_config ${search_configs}) ${lm:+--lm "${lm}" ${nj:+--nj "${nj}"}} ${boost:+--boost "${boost}"} \
    ${cluster_file:+--cluster "${cluster_file}"}
step 5 "calibrate confidences" spner calibrate --data "${data}" --exp "${model_exp}" --search "${search}"
if [ "${system}" = pipeline ]; then
    step 5 "tag what was decoded" spner pipeline --asr "${model_exp}" --exp "${exp}" --sets "${sets}" \
        --data "${data}" --search "${search}" --tagger "${words_tagger}"
    step 5 "calibrate confidences" spner calibrate --data "${data}" --exp "${exp}" --search "${search}"
fi

# Stage 6, score: references and hypotheses -> exp/<tag>/score/<search>/<set>.json and exp/<tag>/RESULTS.md
step 6 "score" spner score-exp --data "${data}" --exp "${exp}" --search "${search}" --sets "${sets}" \
    ${published:+--published "${published}"} ${preset:+--preset "${preset}"}

[ "${stop_stage}" -eq 6 ] || exit 0
program="$(relative "${bin}/spner")"
[ -x "${bin}/spner" ] || program="PYTHONPATH=$(printf %q "${root}") $(relative "${bin}/python") -m spner"
echo "The scores are in $(relative "${recipe}/${exp}/RESULTS.md"). What to type next:
  ${program} report $(relative "${recipe}/${exp}") --out report.html  # scores and utterances on a page
  $(relative "${recipe}/run.sh")${given} --system ${other_system}  # another system
  $(relative "${root}/egs/${other_recipe}/run.sh")  # another language"
