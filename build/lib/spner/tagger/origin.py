"""What a pipeline's tagger has learnt from, beside what its recogniser has.

A pipeline is a fair baseline of an E2E system where both have learnt from the same utterances; ``train.json`` of either
says which.
"""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spner.core import paths
from spner.core.files import read_json
from spner.core.training import find_model
from spner.data.trainset import format_counts

UNKNOWN = "not known: no train.json of spner train-tagger"
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Origin:
    """What a tagger has learnt from.

    Attributes:
        text: in words.
        counts: what each data folder gave of the utterances, as stage 4 records it; None for other text.
    """

    text: str
    counts: list[dict[str, Any]] | None


def read_origin(tagger: str) -> Origin:
    """Return what a tagger, hub name or folder, has learnt from."""
    path = Path(tagger) / paths.TRAINING
    record = read_json(path) if path.exists() else None
    if not isinstance(record, dict) or "speech" not in record:  # another program's, or an acoustic model's
        return Origin(UNKNOWN, None)
    begun = f"fine-tuned from {record['model']}" if record["model"] else "from scratch"
    counts = record.get("utterances")
    if counts:
        return Origin(f"{format_counts(counts)}, with their pseudo-labels; {begun}", counts)
    speech = record["speech"]
    form = f"normalised text ({speech['lang']})" if speech else "text as written, cased and with punctuation"
    return Origin(f"column files, {form}; {begun}", None)


def tell_tagger(tagger: str, asr: Path) -> None:
    """Log which tagger a pipeline has; warn unless it learnt from the recogniser's own utterances.

    Args:
        tagger: hub name or folder.
        asr: the recogniser's experiment folder.
    """
    origin, training = read_origin(tagger), find_model(asr) / paths.TRAINING
    heard = read_json(training).get("train") if training.exists() else None
    if origin.counts and origin.counts == heard:
        log.info("tagger %s: learnt from the recogniser's utterances (%s)", tagger, origin.text)
    else:
        found = format_counts(heard) if heard else "not known"
        log.warning(
            "WARNING: no fair baseline of an E2E system: tagger %s has not learnt from the recogniser's utterances, as "
            "an E2E system does; it learnt from: %s; the recogniser: %s",
            tagger,
            origin.text,
            found,
        )
