"""Two sides -> the table of their counts, and the account of their entities."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TextIO

import numpy as np

from spner.core.datatypes import Transcript
from spner.core.progress import Progress
from spner.data.datadir import json_line
from spner.scoring.counts import MATCHES, MISSES, POSITIONAL, WORD_RATES, Columns, Table
from spner.scoring.errors import EntityError, label_pairs
from spner.scoring.f1 import Key
from spner.scoring.inputs import Side
from spner.scoring.options import Options
from spner.scoring.rules import Rules
from spner.scoring.transcripts import AnyTranscript, labels_of
from spner.scoring.utterance import UtteranceCounter


@dataclass
class Account:
    """The errors of a corpus's entities, by kind and by label."""

    kinds: Counter[str]
    labels: Counter[tuple[str, str]]

    def add(self, errors: Sequence[EntityError], *, ref: AnyTranscript, hyp: AnyTranscript) -> None:
        """Add one utterance."""
        self.kinds.update(error.kind for error in errors)
        self.labels.update(label_pairs(errors, ref=labels_of(ref), hyp=labels_of(hyp)))


def find_labels(sides: Sequence[Side], rules: Rules) -> list[str]:
    """Return the scored labels in their order, then those of hypotheses that are not configured."""
    found = {label for side in sides for transcript in side.utterances.values() for label in labels_of(transcript)}
    return [*rules.scored_labels, *sorted(found.difference(rules.labels))]


def count_sides(
    *,
    ref: Side,
    hyp: Side,
    options: Options,
    labels: Sequence[str],
    seen: frozenset[Key] | None,
    details: TextIO | None = None,
) -> tuple[Table, Account | None]:
    """Count every utterance, in C order of ids.

    Args:
        ref: the references.
        hyp: the hypotheses, of the same utterances.
        options: of scoring.
        labels: of the table; see :func:`find_labels`.
        seen: see :func:`read_seen`.
        details: gets the utterances; see :func:`score`.

    Returns:
        the table, and the account of the entities, None if positions are not known.
    """
    transcripts = [*ref.utterances.values(), *hyp.utterances.values()]
    positional = all(isinstance(transcript, Transcript) for transcript in transcripts)
    columns = Columns(labels)
    counter = UtteranceCounter(columns, positional=positional, seen=seen, drop_empty_hyp=options.drop_empty_hyp)
    rows = np.empty((len(ref.utterances), columns.width), dtype=np.int32)
    account = Account(Counter(), Counter())
    with Progress(len(rows), what="score", unit="utterances") as progress:
        for number, utt_id in enumerate(sorted(ref.utterances)):
            rows[number], errors = counter.count(utt_id, ref=ref, hyp=hyp)
            if errors:
                account.add(errors, ref=ref.utterances[utt_id], hyp=hyp.utterances[utt_id])
            if details:
                details.write(_format_utterance(utt_id, ref.utterances[utt_id], hyp.utterances[utt_id], errors))
            progress.update()
    undefined = {*(() if positional else POSITIONAL), *(("seen", "unseen") if seen is None else ())}
    names = frozenset({*WORD_RATES, *MATCHES, *MISSES} - undefined)
    return Table(columns, rows, names), account if positional else None


def _format_utterance(utt_id: str, ref: AnyTranscript, hyp: AnyTranscript, errors: Sequence[EntityError]) -> str:
    def side(transcript: AnyTranscript) -> dict[str, Any]:
        if isinstance(transcript, Transcript):
            entities = [{"label": e.label, "start": e.start, "end": e.end} for e in transcript.entities]
        else:
            entities = [{"label": label, "phrase": phrase} for label, phrase in transcript.mentions]
        return {"words": transcript.words, "entities": entities}

    kinds = [{"kind": error.kind, "ref": error.ref, "hyp": error.hyp} for error in errors]
    return json_line({"utt_id": utt_id, "ref": side(ref), "hyp": side(hyp), "errors": kinds})
