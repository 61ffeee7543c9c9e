#!/usr/bin/env bash
# Dutch: the six stages with these settings. Each can be given as --name value; paths are relative to this folder.
lang=nl
corpus=mini                   # mini: the embedded corpus; or an unpacked Common Voice release, the folder of one language
mini_opts=                    # options of spner mini-corpus
max_broken=0.01               # share of a set's clips that may be missing or broken
tagger=                       # transformers token classifier, hub name or folder; empty: the default of the corpus
system=e2e                    # e2e: entity symbols in the transcripts; asr: plain transcripts
token_type=char               # char or bpe
vocab_size=                   # pieces, for bpe
train_config=                 # conf/<name> of the checkout, this folder's conf/<name> on top; empty: mini or xlsr
train_opts=                   # key=value …: single keys of the training configuration
tag=                          # exp/<tag>; empty: named after corpus and system
decode_sets="dev test"        # sets to decode and to score
nj=2                          # processes that decode or make clips

# shellcheck source=egs/TEMPLATE/stages.sh
. "$(dirname "${BASH_SOURCE[0]}")/../TEMPLATE/stages.sh" "$@"
