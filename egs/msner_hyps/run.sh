#!/usr/bin/env bash
# What eight recognisers wrote of MSNER's German test set -> a text tagger -> WER and entity F1 of each pipeline.
# shellcheck disable=SC2046,SC2154  # each gives several words; steps.sh sets what it takes from here
stage=1        # first stage to run, 1 to 4
stop_stage=4   # last stage to run
hyps=          # MSNER's JSON lines with the recognisers' output under "hyps"
tagger=own     # transformers token classifier, folder or hub name; own: train small ones on silver, and on gold in folds
silver=        # for own: CoNLL columns (number, token, tag) of labelled German text, WikiNEuRal's val.conllu
epochs=10      # for own: of the training on silver
fold_epochs=5  # for own: of each training on gold
seed=1         # for own: random seed of the trainings
data=data      # folder of references and texts
exp=exp        # folder of taggers, hypotheses, scores and RESULTS.md

# shellcheck source=egs/TEMPLATE/steps.sh
. "$(dirname "$(readlink -f "$0")")/../TEMPLATE/steps.sh"
[ -n "${hyps}" ] || die "--hyps is missing: JSON lines of MSNER's German test set with hypotheses"
[[ "${tagger}" != own || -n "${silver}" ]] || die "--silver is missing: text for --tagger own to learn from"
hyps.py() { python local/hyps.py "$@"; }
# The own tagger is small: more threads make it no faster, but other sums, so other tables.
[ "${tagger}" != own ] || export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"

# Stage 1, prepare: JSON lines -> references and the texts to tag; for own the text to learn from
step 1 "prepare" hyps.py prepare --hyps "${hyps}" --out "${data}" ${silver:+--silver "${silver}"}

# Stage 2, train: one tagger on silver text, and five that go on from it with the gold text of other sessions
if [ "${tagger}" = own ]; then
    step 2 "train on silver" spner train-tagger --train "${data}/conll/silver_train.conll" \
        --dev "${data}/conll/silver_dev.conll" --out "${exp}/tagger/silver" --epochs "${epochs}" --seed "${seed}"
    for fold in 0 1 2 3 4; do
        step 2 "train on gold without fold ${fold}" spner train-tagger --train "${data}/conll/fold${fold}_train.conll" \
            --dev "${data}/conll/fold${fold}_dev.conll" --out "${exp}/tagger/fold${fold}" --model "${exp}/tagger/silver" \
            --epochs "${fold_epochs}" --learning_rate 5e-4 --seed "${seed}"
    done
fi

# Stages 3 and 4, tag and score: the true transcripts and every recogniser's text -> entities -> RESULTS.md
if [ "${tagger}" = own ]; then
    names="silver crossval"
    step 3 "tag by silver" hyps.py tag --data "${data}" --tagger "${exp}/tagger/silver" --out "${exp}/silver"
    step 3 "tag by folds" hyps.py tag --data "${data}" $(each --tagger "${exp}"/tagger/fold{0,1,2,3,4}) \
        --out "${exp}/crossval"
else
    names="$(basename "${tagger}")"
    step 3 "tag" hyps.py tag --data "${data}" --tagger "${tagger}" --out "${exp}/${names}"
fi
# shellcheck disable=SC2086  # two names
step 4 "score" hyps.py score --data "${data}" --exp "${exp}" ${names}
