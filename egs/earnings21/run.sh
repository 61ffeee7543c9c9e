#!/usr/bin/env bash
# Earnings-21, 39 hours of calls: spner tag hears each whole recording; the scorer cuts what it writes into sentences.
# shellcheck disable=SC2154  # steps.sh sets what it takes from here
stage=1               # first stage to run, 1 to 3
stop_stage=3          # last stage to run
corpus=               # Earnings-21's folder, with media and transcripts
calls=                # names of calls, such as 4320211; empty: all
model=                # experiment folder or pack that writes words and names; or
asr=                  # a recogniser of words, as spner tag takes it, such as small; and
tagger=               # a tagger of its text; empty: English's default
labels="PER ORG LOC"  # labels to score; ontonotes stands for OntoNotes' 18
data=data             # folder of the references
exp=                  # folder of what is tagged, and of its scores; empty: exp/<name of model or asr>

# shellcheck source=egs/TEMPLATE/steps.sh
. "$(dirname "$(readlink -f "$0")")/../TEMPLATE/steps.sh"
[ -n "${corpus}" ] || die "--corpus is missing: Earnings-21's folder, with media and transcripts"
[ -n "${model}${asr}" ] || die "--model or --asr is missing: what hears the recordings"
exp="${exp:-exp/$(basename "${model:-${asr}}")}"
calls.py() { python local/calls.py "$@"; }

# Stage 1, references: tokens and their entities -> sentences
step 1 "references" calls.py references --corpus "${corpus}" --calls "${calls}" --labels "${labels}" --out "${data}"

# Stage 2, tag: recordings -> words, names and times; calls that are there are passed over
[ -f "${data}/recordings" ] || die "${recipe}/${data}/recordings is missing; run stage 1"
mapfile -t recordings < "${data}/recordings"
step 2 "tag" spner tag "${recordings[@]}" --output_dir "${exp}/calls" --output_format json --lang en \
    ${model:+--model "${model}"} ${asr:+--asr "${asr}" --labels "${labels}"} ${tagger:+--tagger "${tagger}"}

# Stage 3, score: each call's words are aligned with its sentences, and cut
step 3 "hypotheses" calls.py hypotheses --data "${data}" --tagged "${exp}/calls" --out "${exp}/hyps.jsonl"
step 3 "score" spner score --ref "${data}/ref" --hyp "${exp}/hyps.jsonl" --recordings "${data}/utt2reco" \
    --by_speaker "${data}/utt2reco" --lang en --references gold --out "${exp}/scores.json"
