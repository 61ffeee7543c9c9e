"""Every file name of the project, spelt once."""

from pathlib import Path

# A data folder (Kaldi's) and a decode folder share the names of transcripts and entities.
WAV_SCP = "wav.scp"
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

# What stage 1 says about its corpus.
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
TRAINING = "train.json"  # written when the training has finished
TRANSFER = "transfer.json"  # what a training with --init began with
FIRST_WEIGHTS = "first_weights.pth"  # there until it has finished
SYSTEM = "system.json"  # whose hypotheses these are, in a folder without a training of its own
RESULTS = "RESULTS.md"
CURVES = "curves.png"

# exp/<language model>
LM_ARPA = "lm.arpa"
LM_RECORD = "lm.json"  # written when the model is complete
LM_TAGGED = "tagged.txt"
LM_COLUMNS = "columns.txt"

TRAIN, DEV, TEST = SETS = ("train", "dev", "test")


def decode_dir(exp: Path, set_name: str) -> Path:
    """Return the folder of a set's hypotheses."""
    return exp / "decode" / set_name


def calibration_file(exp: Path) -> Path:
    """Return the file that tells how dev calibrated the confidences of the decoded sets."""
    return exp / "decode" / "calibration.json"


def tuned_file(exp: Path, config_name: str) -> Path:
    """Return the file of the weights that were tuned for a decode configuration."""
    return exp / "tuned" / f"{config_name}.json"


def score_file(exp: Path, set_name: str, *, gold: bool = False) -> Path:
    """Return the file of a set's scores, against the gold entities or against the pseudo-labels."""
    return exp / "score" / f"{set_name}{'_gold' if gold else ''}.json"


def utterances_file(scores: Path) -> Path:
    """Return the file beside a scores file that tells the errors of every utterance."""
    return scores.with_suffix(".utts.jsonl")
