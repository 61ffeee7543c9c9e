"""Both sides of a comparison, read and paired by utterance id (docs/metrics.md, section 1)."""

import logging
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from spner.core.datatypes import Timing, Transcript
from spner.core.errors import SpnerError
from spner.data.datadir import read_table, refuse_twice
from spner.scoring.f1 import Key
from spner.scoring.forms import ANY_OPEN, Read, open_side, require_same_ids
from spner.scoring.rules import Rules
from spner.scoring.transcripts import AnyTranscript, labels_of, mentions_of
from spner.text.tags import spans_to_text

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Side:
    """The utterances of one side by id, in the order of their file.

    Attributes:
        file: file that error messages name.
        utterances: in canonical form.
        tagged: words and entity symbols of the utterances whose symbols are illegal; the others' follow from them.
        illegal: illegal events by kind.
        stored: words and entities as the entities file has them, not in canonical form: what times belong to.
        timings: times and confidences of the stored utterances that have any.
    """

    file: Path
    utterances: dict[str, AnyTranscript]
    tagged: dict[str, list[str]]
    illegal: Counter[str]
    stored: dict[str, Transcript] = field(default_factory=dict)
    timings: dict[str, Timing] = field(default_factory=dict)

    def add(self, read: Read, canonical: AnyTranscript) -> None:
        """Add an utterance as its file has it, and in canonical form."""
        self.utterances[read.utt_id] = canonical
        if read.stored is not None:
            self.stored[read.utt_id] = read.stored
        if read.timing is not None:
            self.timings[read.utt_id] = read.timing
        if read.tokens is not None:
            self.tagged[read.utt_id] = read.tokens
            self.illegal.update(read.illegal)

    def tagged_words(self, utt_id: str) -> list[str]:
        """Return words and entity symbols, the illegal ones too."""
        if utt_id in self.tagged:
            return self.tagged[utt_id]
        utterance = self.utterances[utt_id]
        assert isinstance(utterance, Transcript), "phrases have no place among the words"
        return spans_to_text(utterance).split()

    def where(self, utt_id: str) -> str:
        """Return file and line of an utterance: every line of a file is one."""
        return f"{self.file}:{1 + list(self.utterances).index(utt_id)}"


def count_mentions(side: Side) -> Counter[tuple[str, str]]:
    """Return how often each ``(label, phrase)`` is mentioned."""
    return Counter(mention for transcript in side.utterances.values() for mention in mentions_of(transcript))


def read_side(path: Path, rules: Rules, *, role: str, with_times: bool = False) -> Side:
    """Read one side.

    Args:
        path: a folder or a file, in a form of :mod:`spner.scoring.forms`.
        rules: how to read it.
        role: ``ref`` or ``hyp``. A label that is not configured is refused in references; in hypotheses it
            counts as an error, with a warning. Illegal symbols are refused in references, and counted in hypotheses.
        with_times: also keep what times belong to, and the times.

    Raises:
        SpnerError: a file is missing, malformed or without any utterance, an utterance occurs twice, a label is not
            configured, or a reference's symbols are illegal; the message gives file and line.
    """
    file, found = open_side(path, rules, with_times=with_times)
    side = Side(file, {}, {}, Counter())
    unknown: Counter[str] = Counter()
    first_unknown = ""
    for read in found:
        refuse_twice(read.utt_id, side.utterances, read.where)
        side.add(read, rules.apply(read.transcript))
        others = [label for label in _labels_of(read, side) if label not in rules.labels]
        if others and role == "ref":
            raise SpnerError(_unknown_labels(read.where, others[0], rules))
        if read.illegal and role == "ref":
            raise SpnerError(_illegal_reference(read.where, read.illegal))
        if others:
            unknown.update(others)
            first_unknown = first_unknown or read.where
    if not side.utterances:
        raise SpnerError(f"{file}: holds no utterance (expected at least one to score)")
    if unknown:
        _warn_of_labels(first_unknown, unknown, rules)
    return side


def _warn_of_labels(where: str, unknown: Counter[str], rules: Rules) -> None:
    log.warning(
        "%s: the first of %d entities whose labels are not configured (%s; expected %s); each counts as an error",
        where,
        unknown.total(),
        ", ".join(f"{label} {count}" for label, count in sorted(unknown.items())),
        ", ".join(rules.labels),
    )


def require_same_utterances(*, ref: Side, hyp: Side) -> None:
    """Refuse to score a part of the utterances: both sides must hold the same ids.

    Raises:
        SpnerError: an utterance has no hypothesis or no reference; the message gives file and line.
    """
    require_same_ids(ref.file, ref.utterances, hyp.file, hyp.utterances)


def _labels_of(read: Read, side: Side) -> list[str]:
    """Return the labels of an utterance, including those of illegal symbols that make no entity."""
    if read.tokens is None:
        return labels_of(side.utterances[read.utt_id])
    return [token[1:-1] for token in read.tokens if re.fullmatch(ANY_OPEN, token)]


def _unknown_labels(where: str, label: str, rules: Rules) -> str:
    return (
        f'{where}: label "{label}" is not configured (expected {", ".join(rules.labels)}); add it to --labels, '
        f"rename it with --map {label}=NEW or leave it out with --discard {label}"
    )


def _illegal_reference(where: str, illegal: Counter[str]) -> str:
    found = ", ".join(f"{kind} {count}" for kind, count in sorted(illegal.items()))
    return (
        f"{where}: a reference with illegal entity symbols ({found}; expected <LABEL> words </NE>, none inside "
        "another); mend the line"
    )


def read_seen(path: Path | None, rules: Rules) -> frozenset[Key] | None:
    """Return the ``(label, phrase)`` of the training entities; None where none are given."""
    return None if path is None else frozenset(count_mentions(read_side(path, rules, role="ref")))


def read_speakers(utt2spk: Path, ref: Side) -> list[str]:
    """Return the speaker of each utterance, in the order of the table's rows.

    Raises:
        SpnerError: an utterance has no speaker.
    """
    speakers = read_table(utt2spk)
    for utt_id in ref.utterances:
        if utt_id not in speakers:
            raise SpnerError(
                f'{utt2spk}: utterance "{utt_id}" of {ref.where(utt_id)} is missing (expected <utt_id> '
                "<spk_id> of every utterance)"
            )
    return [speakers[utt_id] for utt_id in sorted(ref.utterances)]
