"""Who speaks: the turns of an RTTM file, as diarisation programs write it, on the words of a recording.

A line is ``SPEAKER <recording> <channel> <start> <duration> <NA> <NA> <speaker> <NA> <NA>``, times in seconds. The
recording's name is its file name without the suffix.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

from spner.core.errors import SpnerError
from spner.core.files import read_lines
from spner.tag.tagged import Entity, Tagged, TaggedSegment, Word


@dataclass(frozen=True)
class Turn:
    """A speaker's turn, seconds."""

    start_s: float
    end_s: float
    speaker: str


def read_rttm(path: Path) -> dict[str, list[Turn]]:
    """Return the turns of each recording, by their starts; lines of other kinds than SPEAKER are not looked at.

    Raises:
        SpnerError: the file is missing, or a line is malformed.
    """
    turns: dict[str, list[Turn]] = {}
    for line_number, line in enumerate(read_lines(path), start=1):
        fields = line.split()
        if not fields or fields[0] != "SPEAKER":
            continue
        try:
            start_s, duration_s, speaker = float(fields[3]), float(fields[4]), fields[7]
        except (IndexError, ValueError):
            start_s, duration_s, speaker = 0.0, -1.0, ""
        if not (start_s >= 0 and duration_s >= 0):
            raise SpnerError(
                f"{path}:{line_number}: is no turn (expected SPEAKER <recording> <channel> <start> <duration> <NA> "
                "<NA> <speaker>); mend the line"
            )
        turns.setdefault(fields[1], []).append(Turn(start_s, start_s + duration_s, speaker))
    if not turns:
        raise SpnerError(f"{path}: holds no SPEAKER line (expected RTTM); give another --speakers")
    return {name: sorted(found, key=lambda turn: turn.start_s) for name, found in turns.items()}


def label_speakers(tagged: Tagged, turns: Sequence[Turn]) -> Tagged:
    """Return the recording with the speaker of each word, the one whose turns share most of its time; None for none."""
    return replace(tagged, segments=tuple(_label_segment(segment, turns) for segment in tagged.segments))


def _label_segment(segment: TaggedSegment, turns: Sequence[Turn]) -> TaggedSegment:
    near = [turn for turn in turns if turn.start_s < segment.end_s and segment.start_s < turn.end_s]
    words = tuple(replace(word, speaker=_find_speaker(word, near)) for word in segment.words)
    entities = tuple(replace(entity, speaker=_find_speaker(entity, near)) for entity in segment.entities)
    return replace(segment, words=words, entities=entities)


def _find_speaker(part: Word | Entity, turns: Sequence[Turn]) -> str | None:
    by_speaker = groupby(sorted(turns, key=lambda turn: turn.speaker), key=lambda turn: turn.speaker)
    shared_s = {
        speaker: sum(max(0.0, min(turn.end_s, part.end_s) - max(turn.start_s, part.start_s)) for turn in theirs)
        for speaker, theirs in by_speaker
    }
    best = max(shared_s, key=shared_s.__getitem__, default=None)
    return best if best is not None and shared_s[best] > 0 else None
