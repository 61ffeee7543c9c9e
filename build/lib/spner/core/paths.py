"""File names that several rooms share, spelt once, and which stage makes each file."""

from pathlib import Path

# A data folder (Kaldi's) and a decode folder share the names of transcripts and entities.
WAV_SCP = "wav.scp"
SEGMENTS = "segments"  # of a data folder of one's own
TEXT = "text"
UTT2SPK = "utt2spk"
SPK2UTT = "spk2utt"
UTT2DUR = "utt2dur"
SENTENCES = "sentences.jsonl"
ENTITIES = "entities.jsonl"
GOLD_ENTITIES = "gold_entities.jsonl"
DECODE_RECORD = "decode.json"  # beside hypotheses: what wrote them
RAW_CONFIDENCES = "raw_confidences.jsonl"  # beside hypotheses: their confidences as decoded, not calibrated
CORPUS_ENTITIES = "corpus_entities.jsonl"  # pseudo-labels that came with the corpus
ANNOTATE_RECORD = "annotate.json"  # beside pseudo-labels: where they come from
NBEST = "nbest.jsonl"
WORD_TIMES = "word_times.jsonl"
LABEL_LIST = "labels"  # of a data folder; without it the paper's

# Stage 1's report about its corpus.
REPORT = "report.json"
BROKEN_CLIPS = "broken_clips.tsv"
AUDIO_STORE = "audio"

# dump/<tag>
TOKEN_LIST = "token_list"
SPEECH_SHAPE = "speech_shape"
TEXT_SHAPE = "text_shape"
BPE_MODEL = "bpe.model"
SYMBOLS = "symbols.txt"  # ESPnet's non_linguistic_symbols
TOKENS_CONFIG = "tokens.json"

# exp/<tag>
CONFIG = "config.yaml"
ASKED = "train_config.yaml"  # what was asked of a training, compared when it is taken up again
CHECKPOINT = "checkpoint.pth"  # ESPnet's state after each epoch, while it trains
TRAINING = "train.json"  # written when the training has finished
FAILED = "failed.json"  # written when it went wrong
TRANSFER = "transfer.json"  # what a training with --init started from
FIRST_WEIGHTS = "first_weights.pth"  # there until it has finished
SYSTEM = "system.json"  # whose model decoded, in a folder without a training of its own
RESULTS = "RESULTS.md"
CURVES = "curves.png"
UTTERANCES = ".utts.jsonl"  # ends the name of a set's scored utterances

# exp/<language model>
LM_ARPA = "lm.arpa"
LM_RECORD = "lm.json"  # written when the model is complete
LM_TAGGED = "tagged.txt"
LM_COLUMNS = "columns.txt"

TRAIN, DEV, TEST = SETS = ("train", "dev", "test")

DECODE, DUMP, SCORE = "decode", "dump", "score"
STAGE_3, STAGE_5 = "stage 3 (spner tokens)", "stage 5 (spner decode, spner pipeline)"
MAKERS = {
    **dict.fromkeys((WAV_SCP, TEXT, UTT2SPK, SPK2UTT, UTT2DUR, SENTENCES, REPORT), "stage 1 (spner data)"),
    GOLD_ENTITIES: "stage 1 (spner data) of a corpus with gold entities",
    CORPUS_ENTITIES: "stage 1 (spner data) of a corpus with pseudo-labels",
    WORD_TIMES: "stage 1 (spner data) of a corpus with word times",
    **dict.fromkeys((ENTITIES, ANNOTATE_RECORD), "stage 2 (spner annotate)"),
    **dict.fromkeys((TOKEN_LIST, SPEECH_SHAPE, TEXT_SHAPE, BPE_MODEL, SYMBOLS, TOKENS_CONFIG), STAGE_3),
    **dict.fromkeys((CONFIG, TRAINING), "stage 4 (spner train)"),
    **dict.fromkeys((DECODE_RECORD, RAW_CONFIDENCES, NBEST), STAGE_5),
    **dict.fromkeys((LM_ARPA, LM_RECORD), "spner lm"),
}
"""Which stage makes a file; :func:`made_by` also looks at the folder."""


def made_by(path: Path) -> str | None:
    """Return the stage that makes a file, by its name and folder; None for a file that is not one of ours.

    Hypotheses have the references' file names, and so has the text to train on: in ``decode/<search>/<set>`` it is
    stage 5 that makes them, in ``dump/<tag>/<set>`` stage 3.
    """
    if path.name in (TEXT, ENTITIES):
        makers = {DECODE: STAGE_5, DUMP: STAGE_3}
        if maker := makers.get(path.parent.parent.parent.name):
            return maker
    return "stage 6 (spner score)" if path.name.endswith(UTTERANCES) else MAKERS.get(path.name)


def search_dir(exp: Path, search: str) -> Path:
    """Return the folder of what a search has decoded; :mod:`spner.core.searches` has the searches' names."""
    return exp / DECODE / search


def decode_dir(exp: Path, search: str, set_name: str) -> Path:
    """Return the folder of a set's hypotheses."""
    return search_dir(exp, search) / set_name


def calibration_file(exp: Path, search: str) -> Path:
    """Return the file with the calibration of a search's confidences, fitted on dev."""
    return search_dir(exp, search) / "calibration.json"


def tuned_file(exp: Path, search: str) -> Path:
    """Return the file of the weights that were tuned for a search."""
    return exp / "tuned" / f"{search}.json"


def score_file(exp: Path, search: str, set_name: str, *, gold: bool = False) -> Path:
    """Return the file of a set's scores, against the gold entities or against the pseudo-labels."""
    return exp / SCORE / search / f"{set_name}{'_gold' if gold else ''}.json"


def utterances_file(scores: Path) -> Path:
    """Return the file beside a scores file that lists the errors of every utterance."""
    return scores.with_suffix(UTTERANCES)
