#!/usr/bin/env bash
# The six stages with these settings. Each can be given as --name value; paths are relative to this folder.
lang=""               # language code: decides the normalisation, the mini corpus and the default tagger
corpus=mini           # mini or mini_NAME: an mini corpus; a Common Voice release's folder of one language; a .json
clips=                # folder of the clips, where the corpus is a JSON file of the paper's authors
mini_opts=            # more options of spner mini-corpus, which several mini corpora may differ in
mini_text=4000        # sentences of generated gold text that the mini corpus's tagger is trained on
max_broken=0.01       # share of a set's clips that may be missing or broken
tagger=               # transformers token classifier, hub name or folder; empty: the corpus's or language's default
system=e2e            # e2e: transcripts with entity symbols; asr: without; pipeline: asr, then a tagger of its words
speech_tagger=        # pipeline's tagger; empty: the mini corpus's for recognised words, else that of stage 2
token_type=char       # char or bpe
vocab_size=           # pieces, for bpe
fraction=100          # percent of the train set that is trained on; 10 lies within 20
join=                 # other recipes' folders, whose train sets are added: ../cv_de ../cv_en
train_config=         # a file of conf/; the recipe's own conf/ overrides single keys. Empty: XLS-R with a GPU, else mini
train_opts=           # key=value …: override single keys
init=                 # experiment folder to begin training with, such as ../cv_de/exp/mini_e2e
init_opts=            # more options of spner train, with init: --reinit_layers 2, --reinit_output, --freeze_steps 500
seed=                 # of the training; empty: the configuration's, which is 1
model=                # experiment folder whose model decodes, such as ../cv_de/exp/mini_e2e; then nothing is trained
decode_config=        # a file of conf/, such as decode_lm.yaml: beam search with a language model. Empty: greedy search
lm_opts="--unit token --order 6" # options of spner lm, for decode_config; such as --columns FILE: more text
boost=                # names to raise in the beam search, one a line; paths are relative to this folder
tag=                  # exp/<tag>; empty: named after corpus, system, fraction, seed, join, init and model
sets="dev test"       # sets to decode and to score
nj=2                  # processes that make or decode clips

# shellcheck source=egs/TEMPLATE/stages.sh
. "$(dirname "${BASH_SOURCE[0]}")/../TEMPLATE/stages.sh" "$@"
