"""Hypotheses of whole recordings, cut where their words align with the references' utterances.

A call of an hour has references in sentences and one hypothesis. Scored as one utterance, an entity would count as
found though it was recognised half an hour away; so the hypothesis is cut, and each sentence is scored with what was
recognised in its place. Errors of words are those of the uncut recording, as long as no entity lies across a cut.

The alignment is one of all words, by Levenshtein distance with rapidfuzz, which computes 64 cells of the table at a
time (Myers 1999) and keeps two of its rows (Hirschberg 1975): memory grows with the length of the recording, time with
its square, and at 100,000 words (eleven hours) is 3 s and 50 MB. No times are needed, and nothing is lost by windows.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import accumulate, chain, pairwise
from pathlib import Path

from spner.core.datatypes import Entity, Transcript
from spner.core.errors import SpnerError
from spner.data.datadir import read_table
from spner.scoring.alignment import Alignment, align
from spner.scoring.inputs import Side
from spner.scoring.transcripts import AnyTranscript


def cut_side(ref: Side, hyp: Side, utt2reco: Path) -> Side:
    """Return the hypotheses of the references' utterances.

    Args:
        ref: the references, in utterances.
        hyp: one hypothesis a recording.
        utt2reco: Kaldi table, which recording each reference is in; in the order in which they are spoken.

    Raises:
        SpnerError: an utterance is in no recording, a recording has no hypothesis or no utterance, or an entity's
            place is not known.
    """
    cut: dict[str, AnyTranscript] = {}
    for recording, utt_ids in _group(ref, hyp, utt2reco).items():
        refs = [_require_spans(ref, utt_id) for utt_id in utt_ids]
        pieces = cut_hypothesis(refs, _require_spans(hyp, recording))
        cut |= dict(zip(utt_ids, pieces, strict=True))
    return Side(hyp.file, cut, {}, hyp.illegal)


def _group(ref: Side, hyp: Side, utt2reco: Path) -> Mapping[str, list[str]]:
    """Return the utterances of each recording."""
    recordings: dict[str, list[str]] = {recording: [] for recording in hyp.utterances}
    table = read_table(utt2reco)
    for utt_id, recording in table.items():
        if recording not in recordings:
            raise SpnerError(
                f'{utt2reco}: recording "{recording}" of "{utt_id}" is not in {hyp.file} (expected the hypothesis of '
                "every recording, empty where nothing was recognised)"
            )
        if utt_id in ref.utterances:
            recordings[recording].append(utt_id)
    for utt_id in ref.utterances:
        if utt_id not in table:
            raise SpnerError(
                f'{utt2reco}: utterance "{utt_id}" of {ref.where(utt_id)} is missing (expected a recording)'
            )
    for recording, utt_ids in recordings.items():
        if not utt_ids:
            raise SpnerError(f'{hyp.where(recording)}: recording "{recording}" has no utterance in {utt2reco}')
    return recordings


def _require_spans(side: Side, utt_id: str) -> Transcript:
    transcript = side.utterances[utt_id]
    if not isinstance(transcript, Transcript):
        raise SpnerError(
            f"{side.where(utt_id)}: its entities are phrases without a place (expected words and spans, which "
            "--recordings needs)"
        )
    return transcript


def cut_hypothesis(refs: Sequence[Transcript], hyp: Transcript) -> list[Transcript]:
    """Cut a recording's hypothesis into one for each of its references.

    An inserted word goes with the reference word before it. A cut inside an entity moves to its nearer edge.
    """
    alignment = align(ref=list(chain.from_iterable(ref.words for ref in refs)), hyp=hyp.words)
    cuts = _find_cuts(list(accumulate(len(ref.words) for ref in refs[:-1])), alignment)
    cuts = [0, *(_leave_entities(cut, hyp.entities) for cut in cuts), len(hyp.words)]
    pieces, entities = [], list(reversed(hyp.entities))
    for start, end in pairwise(cuts):
        own = []
        while entities and entities[-1].end <= end:
            entity = entities.pop()
            own.append(Entity(entity.start - start, entity.end - start, entity.label))
        pieces.append(Transcript(hyp.words[start:end], tuple(own)))
    return pieces


def _find_cuts(boundaries: Sequence[int], alignment: Alignment) -> list[int]:
    """Return how many hypothesis words stand before each position of the reference."""
    before: list[int] = []  # by reference word
    num_hyp = 0
    for i, j in alignment:
        if i is not None:
            before.append(num_hyp)
        num_hyp += j is not None
    before.append(num_hyp)
    return [before[boundary] for boundary in boundaries]


def _leave_entities(cut: int, entities: Sequence[Entity]) -> int:
    """Move a cut inside an entity to its nearer edge, the end if both are as near."""
    position = bisect_left(entities, cut, key=lambda entity: entity.start) - 1  # the last that begins before the cut
    if position < 0 or entities[position].end <= cut:
        return cut
    entity = entities[position]
    return entity.start if cut - entity.start < entity.end - cut else entity.end
