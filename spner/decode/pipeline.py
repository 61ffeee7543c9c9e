"""The pipeline system: a recogniser's hypotheses -> a text tagger -> an E2E system's files.

A word keeps the times and the confidence that it has in the recogniser's folder; an entity's times are its words', and
its raw confidence is their geometric mean, for :mod:`spner.decode.calibrate` like an E2E system's.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spner.core import paths
from spner.core.datatypes import LABELS, Timing, Transcript
from spner.core.errors import SpnerError
from spner.core.files import fingerprint, locked, read_json, write_json
from spner.data.datadir import read_entities, read_timings, write_table
from spner.decode.calibrate import write_hypotheses
from spner.tagger.model import BATCH_TOKENS, Tagger, fingerprint_model, load_tagger
from spner.text.tags import bio_to_spans, spans_to_text


def tag_sets(asr: Path, exp: Path, set_names: Sequence[str], *, tagger: str, device: str = "auto") -> None:
    """Write ``exp/decode/<set>/{text,entities.jsonl}``: what ``asr`` decoded in each set, with the tagger's entities.

    A set whose hypotheses this tagger has tagged already is left as it is.

    Args:
        asr: experiment whose hypotheses are tagged; entities in them are not looked at.
        exp: another experiment folder, without a training of its own.
        set_names: which sets.
        tagger: hub name or folder of a token classifier; it gets the words as they were decoded.
        device: torch device; ``auto`` takes a GPU if there is one.

    Raises:
        SpnerError: a set is not decoded, the tagger cannot be used, or ``exp`` holds something else.
    """
    _refuse_other_system(exp, asr)
    weights = fingerprint_model(tagger)
    loaded: Tagger | None = None
    with locked(exp / "decode"):
        write_json(exp / paths.SYSTEM, {"model": str(asr), "tagger": tagger})
        for set_name in set_names:
            hyps = paths.decode_dir(asr, set_name) / paths.ENTITIES
            if not hyps.with_name(paths.DECODE_RECORD).exists():
                raise SpnerError(f"{hyps.parent}: holds no finished hypotheses; stage 5 (spner decode) makes them")
            decoded = read_json(hyps.with_name(paths.DECODE_RECORD))
            record = {"tagger": tagger, "weights": weights, "hyps": fingerprint([hyps])}
            record |= {"model": decoded["model"], "search": decoded["search"]}
            done = paths.decode_dir(exp, set_name) / paths.DECODE_RECORD
            if done.exists() and read_json(done) == record:
                continue
            loaded = loaded or load_tagger(tagger, device=device)
            done.unlink(missing_ok=True)
            _tag_set(hyps, done.parent, loaded)
            write_json(done, record)


def tag_words(tagger: Tagger, hyps: dict[str, Transcript]) -> dict[str, Transcript]:
    """Return the words of each hypothesis with the entities that the tagger finds in them."""
    bio = tagger.predict([hyp.words for hyp in hyps.values()], batch_tokens=BATCH_TOKENS)
    return {
        utt_id: Transcript(hyp.words, tuple(entity for entity in bio_to_spans(tags) if entity.label in LABELS))
        for (utt_id, hyp), tags in zip(hyps.items(), bio, strict=True)
    }


def time_entities(transcript: Transcript, words: Timing) -> Timing:
    """Return the words' timing with confidences of the entities on them, each the geometric mean of its words'."""
    confidences = [words.word_confidences[entity.start : entity.end] for entity in transcript.entities]
    return Timing(
        words.word_times, words.word_confidences, tuple(math.prod(one) ** (1 / len(one)) for one in confidences)
    )


def _tag_set(hyps: Path, out: Path, tagger: Tagger) -> None:
    tagged = tag_words(tagger, read_entities(hyps))
    timings = read_timings(hyps)
    raw = {utt_id: time_entities(tagged[utt_id], timing) for utt_id, timing in timings.items()}
    write_table(out / paths.TEXT, {utt_id: spans_to_text(one) for utt_id, one in tagged.items()})
    write_hypotheses(out, tagged, raw)


def _refuse_other_system(exp: Path, asr: Path) -> None:
    advice = "expected a folder for the pipeline alone; give another --tag"
    if (exp / paths.CONFIG).exists():
        raise SpnerError(f"{exp}: holds a training of its own ({advice})")
    system: dict[str, Any] = read_json(exp / paths.SYSTEM) if (exp / paths.SYSTEM).exists() else {}
    if system and (system["model"] != str(asr) or "tagger" not in system):
        raise SpnerError(f"{exp}: holds hypotheses of {system['model']} ({advice})")
