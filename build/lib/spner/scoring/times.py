"""Scores of times and confidences (docs/metrics.md, section 6): frame F1, word F1 and boundary errors of entities, and
the expected calibration error, in the form of :class:`spner.scoring.schema.TimeScores`.

The two F1 are label-free, after arXiv 2205.12680, section 3.2: to blank
names out of a recording, every word of every name must be found, and no other.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from spner.core.datatypes import Timing, Transcript, WordTimes
from spner.core.errors import SpnerError
from spner.data.datadir import read_word_times
from spner.scoring.calibration import compute_ece, judge_entities, judge_words
from spner.scoring.errors import match_mentions
from spner.scoring.f1 import MatchCounts
from spner.scoring.inputs import Side
from spner.scoring.schema import TimeScores
from spner.scoring.transcripts import Pair, mentions_of

Interval = tuple[float, float]
"""(start, end) in seconds, start <= end."""

FRAME_RATE_HZ = 100
OVERLAPS = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5)
EPSILON_S = 1e-6  # an overlap of 1.0 must survive the rounding of sums


@dataclass(frozen=True)
class TimedPair:
    """Reference and hypothesis of one utterance, with the times of their words.

    Raises:
        ValueError: there is not one time a word.
    """

    pair: Pair
    ref_times: WordTimes
    hyp_times: WordTimes

    def __post_init__(self) -> None:
        for side, words, times in (
            ("ref", self.pair.ref.words, self.ref_times),
            ("hyp", self.pair.hyp.words, self.hyp_times),
        ):
            if len(words) != len(times):
                raise ValueError(f"{side} has {len(words)} words and times of {len(times)}")


@dataclass(frozen=True)
class BoundaryErrors:
    """Summed absolute errors of the entities that both sides have; those of utterances add up."""

    start_s: float = 0.0
    end_s: float = 0.0
    num_entities: int = 0

    def __add__(self, other: "BoundaryErrors") -> "BoundaryErrors":
        return BoundaryErrors(
            self.start_s + other.start_s, self.end_s + other.end_s, self.num_entities + other.num_entities
        )


def score_times(pairs: Sequence[TimedPair]) -> dict[str, Any]:
    """Return the scores but the calibration error; a mean over no entity is None."""
    frames, errors = MatchCounts(), BoundaryErrors()
    words = dict.fromkeys(OVERLAPS, MatchCounts())
    for one in pairs:
        ref = entity_intervals(one.pair.ref, one.ref_times)
        hyp = entity_intervals(one.pair.hyp, one.hyp_times)
        inside = {i for entity in one.pair.ref.entities for i in range(entity.start, entity.end)}
        in_entity = [i in inside for i in range(len(one.ref_times))]
        frames += count_frames(ref=ref, hyp=hyp)
        for overlap in OVERLAPS:
            words[overlap] += count_words(ref=one.ref_times, hyp=hyp, in_entity=in_entity, overlap=overlap)
        errors += sum_boundary_errors(one)
    num = errors.num_entities
    mae = {"start": errors.start_s / num if num else None, "end": errors.end_s / num if num else None}
    return {
        "frame_f1": frames.describe(),
        "word_f1": {str(overlap): counts.describe() for overlap, counts in words.items()},
        "boundary_mae_s": {**mae, "num_entities": num},
    }


def score_side_times(*, ref: Side, hyp: Side, times_file: Path) -> TimeScores | None:
    """Return the scores of hypotheses with times; None if none has any. One without times counts as empty.

    Args:
        ref: read with times.
        hyp: read with times.
        times_file: the true times of the reference words, a ``word_times.jsonl``.

    Raises:
        SpnerError: a file is malformed, or the two sides do not fit each other.
    """
    if not hyp.timings:
        return None
    times = read_word_times(times_file)
    pairs: list[TimedPair] = []
    judged: dict[str, list[tuple[float, bool]]] = {"words": [], "entities": []}
    for utt_id, transcript in ref.stored.items():
        timing = hyp.timings.get(utt_id, Timing((), (), ()))
        pair = Pair(ref=transcript, hyp=hyp.stored[utt_id] if utt_id in hyp.timings else Transcript(()))
        try:
            pairs.append(TimedPair(pair, times[utt_id], timing.word_times))
        except (KeyError, ValueError) as error:
            raise SpnerError(
                f'{times_file}: utterance "{utt_id}" does not fit {ref.file} or {hyp.file} ({error}); rerun stages 1 '
                "to 5"
            ) from error
        judged["words"] += zip(timing.word_confidences, judge_words(pair), strict=True)
        judged["entities"] += zip(timing.entity_confidences, judge_entities(pair), strict=True)
    ece = {kind: compute_ece([c for c, _ in ones], [right for _, right in ones]) for kind, ones in judged.items()}
    return cast(TimeScores, {**score_times(pairs), "ece": ece})


def entity_intervals(transcript: Transcript, times: WordTimes) -> list[Interval]:
    """Return the time of each entity: from the start of its first word to the end of its last."""
    return [(times[entity.start][0], times[entity.end - 1][1]) for entity in transcript.entities]


def count_frames(*, ref: Iterable[Interval], hyp: Iterable[Interval]) -> MatchCounts:
    """Count frames of 10 ms inside entities of both sides (tp), of the hypothesis (fp), of the reference (fn) alone.

    Boundaries are rounded to the nearest frame.
    """
    ref_frames, hyp_frames = _frames(ref), _frames(hyp)
    common = len(ref_frames & hyp_frames)
    return MatchCounts(common, len(hyp_frames) - common, len(ref_frames) - common)


def _frames(intervals: Iterable[Interval]) -> set[int]:
    return {
        frame
        for start_s, end_s in intervals
        for frame in range(round(start_s * FRAME_RATE_HZ), round(end_s * FRAME_RATE_HZ))
    }


def count_words(
    *, ref: Sequence[Interval], hyp: Sequence[Interval], in_entity: Sequence[bool], overlap: float
) -> MatchCounts:
    """Count reference words that the predicted entities cover: of entities (tp) and others (fp); uncovered: fn.

    Args:
        ref: the time of each reference word.
        hyp: the time of each predicted entity; entities do not overlap.
        in_entity: whether each reference word belongs to an entity.
        overlap: share of a word's time, 0 < overlap <= 1, that must be covered.
    """
    tp = fp = fn = 0
    for (start_s, end_s), inside in zip(ref, in_entity, strict=True):
        covered_s = sum(max(0.0, min(end_s, hyp_end_s) - max(start_s, hyp_start_s)) for hyp_start_s, hyp_end_s in hyp)
        covered = covered_s > 0 and covered_s >= overlap * (end_s - start_s) - EPSILON_S
        tp += inside and covered
        fn += inside and not covered
        fp += covered and not inside
    return MatchCounts(tp, fp, fn)


def sum_boundary_errors(one: TimedPair) -> BoundaryErrors:
    """Return the errors of the entities that match in label and phrase; equal ones pair in order."""
    ref, hyp = entity_intervals(one.pair.ref, one.ref_times), entity_intervals(one.pair.hyp, one.hyp_times)
    total = BoundaryErrors()
    for error in match_mentions(ref=mentions_of(one.pair.ref), hyp=mentions_of(one.pair.hyp)):
        if error.ref is not None and error.hyp is not None:  # partners
            (ref_start_s, ref_end_s), (start_s, end_s) = ref[error.ref], hyp[error.hyp]
            total += BoundaryErrors(abs(start_s - ref_start_s), abs(end_s - ref_end_s), 1)
    return total
