"""The JSON form of scores, numbered: stage 6 and ``spner score`` write it, reports and the comparison read it.

Rates are fractions with full precision, their counts beside them; a score that is undefined is null. The keys' meaning
is in docs/metrics.md. A change after which an old reader would read something wrong raises ``SCHEMA``; a new key does
not.
"""

from pathlib import Path
from typing import Any, TypedDict

from spner.core.errors import SpnerError
from spner.core.files import read_json

SCHEMA = 1

Bounds = list[float]
"""``[low, high]`` of a 95 % interval."""

ErrorRate = TypedDict("ErrorRate", {"rate": float | None, "sub": int, "del": int, "ins": int, "num_ref": int})
"""Word or character errors: substitutions, deletions, insertions, and the reference's words or characters."""


class MissedRate(TypedDict):
    """Reference mentions that the hypotheses' words lack."""

    rate: float | None
    errors: int
    num_entities: int


class Match(TypedDict):
    """Precision, recall and F1, and the counts they follow from."""

    precision: float
    recall: float
    f1: float
    tp: int
    fp: int
    fn: int


class MatchScores(TypedDict):
    """One way to match entities: over all labels, as the mean over those that occur, and by label."""

    micro: Match
    macro_f1: float
    labels: dict[str, Match]


class BoundaryError(TypedDict):
    """Mean absolute error in seconds of the boundaries of the entities that both sides have; null without any."""

    start: float | None
    end: float | None
    num_entities: int


class CalibrationError(TypedDict):
    """Expected calibration error of confidences, 0 to 1; null without any."""

    words: float | None
    entities: float | None


class TimeScores(TypedDict):
    """Scores of times and confidences; ``word_f1`` has an entry for each overlap, ``"1.0"`` to ``"0.5"``."""

    frame_f1: Match
    word_f1: dict[str, Match]
    boundary_mae_s: BoundaryError
    ece: CalibrationError


class MadeWith(TypedDict):
    """What decides the numbers; paths are as they were given."""

    commit: str | None
    versions: dict[str, str]
    lang: str | None
    labels: list[str]
    map: dict[str, str]
    discard: list[str]
    policy: str
    split_s: bool
    seen: str | None
    bootstrap: int
    bootstrap_seed: int
    by_speaker: str | None
    recordings: str | None
    drop_empty_hyp: bool


class ScoresMadeWith(MadeWith, total=False):
    """The same with both sides; ``experiment`` is what stage 6 adds: :class:`spner.report.markdown.Run`.

    ``decoded`` says how hypotheses of ours were decoded, see :mod:`spner.core.searches`; null for others.
    """

    ref: str
    hyp: str
    hyp_fingerprint: str
    decoded: dict[str, Any] | None
    experiment: dict[str, Any]


class Scores(TypedDict):
    """Scores of one side against another.

    Attributes:
        schema: ``SCHEMA``.
        signature: what pins the numbers down, in one line; see :func:`spner.scoring.options.sign`.
        gold: whether the references are true entities (false: pseudo-labels); null where it was not stated.
        errors: entities by kind; see :mod:`spner.scoring.errors`.
        confusion: entities ``[ref label][hyp label]``; ``O`` stands for none: missed, or spurious.
        illegal_symbols: of ``ref`` and ``hyp``: events by kind, and ``per_100_utts``.
        times: null unless both sides are folders whose words carry seconds.
        ci95: of every headline score; of ``f1`` also ``f1.<label>``, ``precision``, ``recall``, ``macro_f1``.
    """

    schema: int
    signature: str
    num_utts: int
    gold: bool | None
    wer: ErrorRate
    cer: ErrorRate
    wer_tagged: ErrorRate | None
    entity_wer: ErrorRate | None
    f1: MatchScores
    label_f1: MatchScores
    f1_span: MatchScores | None
    f1_span_text: MatchScores | None
    f1_aligned: MatchScores | None
    seen: MatchScores | None
    unseen: MatchScores | None
    eer: MissedRate
    eer_substr: MissedRate
    errors: dict[str, int] | None
    confusion: dict[str, dict[str, int]] | None
    illegal_symbols: dict[str, dict[str, float]]
    times: TimeScores | None
    ci95: dict[str, Bounds | None] | None
    made_with: ScoresMadeWith


class Difference(TypedDict):
    """One score of two systems; ``difference`` is ``b - a``, with its interval and two-sided p-value."""

    a: float | None
    b: float | None
    difference: float | None
    ci95: Bounds | None
    p: float | None


class Example(TypedDict):
    """An utterance in which two systems differ: tagged text, one of each seed, and mean errors ``[of a, of b]``."""

    utt_id: str
    ref: str
    a: list[str]
    b: list[str]
    errors: list[float]
    word_errors: list[float]


class ComparedMadeWith(MadeWith):
    """What two systems were compared with: the hypotheses of each seed by system, and how each was decoded."""

    ref: str
    hyp: dict[str, list[str]]
    decoded: dict[str, list[dict[str, Any] | None]]


class Comparison(TypedDict):
    """Two systems on the same utterances; ``systems`` has the number of seeds by name, entities are the references'."""

    schema: int
    signature: str
    num_utts: int
    num_entities: int
    gold: bool | None
    systems: dict[str, int]
    scores: dict[str, Difference]
    examples: list[Example]
    made_with: ComparedMadeWith


class PooledScore(TypedDict):
    """One score of all seeds pooled, its interval, and that of each seed."""

    value: float | None
    ci95: Bounds | None
    seeds: list[float | None]


class Pooled(TypedDict):
    """The seeds of one system, scored together."""

    signature: str
    num_utts: int
    gold: bool | None
    scores: dict[str, PooledScore]


def read_scores(file: Path) -> Scores:
    """Read what stage 6 or ``spner score --out`` wrote.

    Raises:
        SpnerError: the file is missing, is not JSON, or holds no scores of this schema.
    """
    try:
        scores = read_json(file)
    except SpnerError as error:
        if not file.is_file():
            raise
        raise SpnerError(
            f"{error}; spner score --ref REF --hyp HYP --out FILE writes scores, stage 6 a recipe's"
        ) from error
    number = scores.get("schema") if isinstance(scores, dict) else None
    if isinstance(number, int) and number > SCHEMA:
        raise SpnerError(
            f"{file}: holds scores of schema {number}, which a newer spner wrote (expected {SCHEMA}); update spner"
        )
    if number != SCHEMA:
        raise SpnerError(
            f'{file}: holds no scores, or those of an older spner (no "schema": {SCHEMA}); rerun stage 6, or spner '
            "score where it wrote them"
        )
    return scores


def holds_scores(file: Path) -> bool:
    """Whether a file is there and :func:`read_scores` reads it."""
    try:
        read_scores(file)
    except SpnerError:
        return False
    return True
