#!/usr/bin/env bash
# The mini corpus's test set as an archive of a dozen recordings: indexed, searched, served. After egs/cv_nl/run.sh.
# shellcheck disable=SC2154  # steps.sh sets what it takes from here
stage=1               # first stage to run, 1 to 6
stop_stage=6          # last stage to run
trained=../cv_nl      # recipe folder whose test set and model are taken
model=exp/mini_e2e    # experiment folder in it
search=               # its search, such as lm; empty where there is one alone
words=rababank        # to search; nearly a name
port=8000             # of the page
data=data             # folder of the recordings
exp=exp               # folder of the pack and the archive

# shellcheck source=egs/TEMPLATE/steps.sh
. "$(dirname "$(readlink -f "$0")")/../TEMPLATE/steps.sh"
[ -e "${trained}/${model}/decode" ] || die "${trained}/${model} has decoded nothing; run ${trained}/run.sh first"

# Stage 1, join: clips of the test set -> a dozen recordings, and their true names in gold.tsv
step 1 "join" python local/join.py "${trained}" data/mini/test "${data}"

# Stage 2, pack: the model as one file; one that is there stays
[ -e "${exp}/nl.zip" ] || step 2 "pack" spner pack "${trained}/${model}" --out "${exp}/nl.zip" ${search:+--search "${search}"}

# Stage 3, index: recordings -> archive
step 3 "index" spner index "${data}" --db "${exp}/archive.sqlite" --model "${exp}/nl.zip"

# Stage 4, search: names with counts, and a name that is misspelt
step 4 "names" spner search --names --label PER --limit 5 --db "${exp}/archive.sqlite"
step 4 "search" spner search "${words}" --db "${exp}/archive.sqlite"

# Stage 5, score: the gold names, searched as they are written and with a letter wrong
step 5 "score" python local/score.py "${data}/gold.tsv" "${exp}/archive.sqlite"

# Stage 6, serve: the page, until Ctrl-C
step 6 "serve" spner serve --db "${exp}/archive.sqlite" --model "${exp}/nl.zip" --port "${port}"
