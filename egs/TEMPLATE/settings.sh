# Every setting of a recipe, with its default. A recipe's run.sh says what differs; --NAME VALUE changes one for a run.
# shellcheck shell=bash disable=SC2034  # stages.sh uses them. Paths are relative to the recipe's folder.
stage=1               # first stage to run, 1 to 6
stop_stage=6          # last stage to run
lang=""               # language code: selects the normalisation, the mini corpus and the default tagger
corpus=mini           # mini or mini_NAME: synthetic speech; else a path: docs/corpora.md lists the kinds of corpora
split_validated=      # random seed: make train, dev and test of validated.tsv, by speaker, where that is all there is
clips=                # folder of the clips, if the corpus has none: the paper's authors' JSON file, MSNER's JSON lines
mini_opts=            # more options of spner mini-corpus; another corpus needs another name, mini_NAME
mini_text=4000        # sentences of generated gold text that the mini corpus's tagger is trained on
max_broken=0.01       # largest share of a set's clips that may be missing or broken
tagger=               # transformers token classifier, folder or hub name; empty: the corpus's or language's default
labels="PER ORG LOC"  # labels of the entities; slue stands for SLUE's 7, ontonotes for OntoNotes' 18
label_map=            # OLD=NEW …: names of a tagger or corpus that are labels; common spellings are known, O is none
system=e2e            # e2e: transcripts with entity symbols; asr: without; pipeline: asr, then a tagger of its words
speech_tagger=        # tagger of the pipeline; empty: stage 4 trains one on the utterances that an E2E system has
tagger_opts=          # more options of spner train-tagger, for that tagger: --from_scratch, or --model NAME to tune
token_type=char       # char or bpe
vocab_size=           # number of units, for bpe
fraction=100          # percent of the train set to train on; 10 lies within 20
join=                 # other recipes whose train sets are added: ../cv_de ../cv_en
train_config=         # file of conf/, and the recipe's conf/; empty: train_xlsr.yaml with a GPU, else train_mini.yaml
upstream=             # pre-trained network, for train_xlsr.yaml: S3PRL's name, hub id, Hugging Face folder or .pt file
train_opts=           # key=value …: override single keys
ngpu=                 # GPUs that train together on a machine; empty: one, if there is one
num_nodes=1           # machines that train together, in a Slurm job; elsewhere see docs/training.md
init=                 # experiment folder whose weights training starts from, such as ../cv_de/exp/mini_e2e
init_opts=            # more options of spner train, with init: --reinit_layers 2, --reinit_output, --freeze_steps 500
seed=                 # random seed of the training; empty: the configuration's, which is 1
model=                # experiment folder whose model decodes, such as ../cv_de/exp/mini_e2e; nothing is trained
decode_config=        # file of conf/, or greedy; empty: decode_lm.yaml, but greedy with model and on Python 3.13
lm_opts="--unit token --order 6" # options of spner lm, for the beam search; such as --columns FILE: more text
boost=                # contextual biasing: names, one a line; a tab and a label, and a tab and a weight, may follow
tag=                  # exp/<tag>; empty: named after corpus, system, fraction, seed, join, init and model
published=            # benchmark whose published numbers RESULTS.md shows: slue_voxpopuli, msner or earnings21
preset=               # preset of the scorer: slue or slue_raw; empty: the recipe's labels, the language's normalisation
sets="dev test"       # sets to decode and score
nj=                   # number of processes that make or decode clips; empty: the machine's processors
cluster=              # YAML file of a cluster for stages 1, 2 and 5, such as conf/slurm.yaml; see docs/cluster.md
