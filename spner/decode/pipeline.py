"""``spner pipeline``: a recogniser's hypotheses -> a text tagger -> an E2E system's files.

A word keeps the recogniser's times and confidence. An entity's times are those of its words, and its raw confidence is
their geometric mean; :mod:`spner.decode.calibrate` calibrates it like an E2E system's.
"""

import functools
import math
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

from spner.core import paths
from spner.core.datatypes import Timing, Transcript
from spner.core.errors import SpnerError
from spner.core.files import fingerprint, locked, read_json, write_json
from spner.core.searches import find_searches
from spner.data.datadir import read_timed_entities
from spner.decode.hypotheses import Hypotheses, refuse_other_system, write_once
from spner.tagger.encoder import WordTagger, find_entities
from spner.tagger.model import fingerprint_model, load_tagger
from spner.tagger.origin import tell_tagger
from spner.text.labels import LabelSet
from spner.text.tags import spans_to_text


def tag_sets(
    asr: Path,
    exp: Path,
    set_names: Sequence[str],
    *,
    tagger: str,
    labels: LabelSet,
    search: str | None = None,
    device: str = "auto",
) -> None:
    """Write ``exp/decode/<search>/<set>/{text,entities.jsonl}``: what ``asr`` decoded, with the tagger's entities.

    A set whose hypotheses this tagger has tagged already is left as it is. What the tagger has learnt from is logged,
    with a warning where that is not what the recogniser has.

    Args:
        asr: experiment whose hypotheses are tagged; entities in them are not looked at.
        exp: another experiment folder, without a training of its own.
        set_names: which sets.
        search: which of the searches that ``asr`` has hypotheses of; None for all.
        tagger: hub name or folder of a token classifier; it gets the words as they were decoded.
        labels: those of the references; entities of others are left out.
        device: torch device; ``auto`` takes a GPU if there is one.

    Raises:
        SpnerError: a set is not decoded, the tagger cannot be used, or ``exp`` holds something else.
    """
    system = {"model": str(asr), "tagger": tagger}
    refuse_other_system(exp, system)
    tell_tagger(tagger, asr)
    searches, weights = find_searches(asr, search), fingerprint_model(tagger)
    load = functools.cache(lambda: load_tagger(tagger, labels=labels, device=device))
    with locked(exp / paths.DECODE):
        write_json(exp / paths.SYSTEM, system)

        def tag_set(words: Path) -> Hypotheses:
            return tag(load(), *read_timed_entities(words), labels=labels)

        for name, set_name in product(searches, set_names):
            hyps = paths.decode_dir(asr, name, set_name)
            record = _read_record(hyps)
            recogniser = {key: record.get(key) for key in ("model", "search", "audio")}
            words = hyps / paths.ENTITIES
            made = {"tagger": tagger, "weights": weights, "labels": labels.as_json(), "hyps": fingerprint([words])}
            identity = {**recogniser, **made}
            folder, decoded = paths.decode_dir(exp, name, set_name), {**record["decoded"], "tagger": tagger}
            write_once(folder, identity, functools.partial(tag_set, words), decoded=decoded)


def _read_record(folder: Path) -> dict[str, Any]:
    """Return what a recogniser's decoding says of its hypotheses."""
    record = folder / paths.DECODE_RECORD
    if not record.exists():
        raise SpnerError(f"{folder}: holds no finished hypotheses; stage 5 (spner decode) makes them")
    return read_json(record)


def tag(
    tagger: WordTagger, decoded: dict[str, Transcript], timings: dict[str, Timing], *, labels: LabelSet
) -> Hypotheses:
    """Return decoded words with the tagger's entities and their times.

    Args:
        tagger: it gets the words as they were decoded.
        decoded: words; entities on them are not looked at.
        timings: of the utterances that have one.
        labels: entities of others are left out.
    """
    tagged = tag_words(tagger, decoded, labels=labels)
    texts = {utt_id: spans_to_text(transcript) for utt_id, transcript in tagged.items()}
    return Hypotheses(texts, tagged, {utt_id: time_entities(tagged[utt_id], one) for utt_id, one in timings.items()})


def tag_words(tagger: WordTagger, hyps: dict[str, Transcript], *, labels: LabelSet) -> dict[str, Transcript]:
    """Return the words of each hypothesis with the entities that the tagger finds in them."""
    return dict(zip(hyps, find_entities(tagger, [hyp.words for hyp in hyps.values()], labels=labels), strict=True))


def time_entities(transcript: Transcript, words: Timing) -> Timing:
    """Return the words' timing with confidences of the entities on them, each the geometric mean of its words'."""
    confidences = [words.word_confidences[entity.start : entity.end] for entity in transcript.entities]
    return Timing(
        words.word_times, words.word_confidences, tuple(math.prod(one) ** (1 / len(one)) for one in confidences)
    )
