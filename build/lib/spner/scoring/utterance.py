"""One utterance -> what it adds to every score: a row of counts."""

from collections.abc import Sequence

from spner.core.datatypes import Transcript
from spner.scoring.alignment import Alignment, find_edits, list_columns, project_spans
from spner.scoring.counts import MISSES, Columns
from spner.scoring.eer import count_missed, count_missed_substr, find_occurrences
from spner.scoring.errors import EntityError, find_errors, match_mentions
from spner.scoring.f1 import MATCHINGS, Key, match
from spner.scoring.inputs import Side
from spner.scoring.ratio import Count
from spner.scoring.transcripts import AnyTranscript, mentions_of
from spner.scoring.wer import ErrorCounts, count_edits, count_entity_word_errors, count_errors


class UtteranceCounter:
    """Counts utterances into rows of a table."""

    def __init__(
        self, columns: Columns, *, positional: bool, seen: frozenset[Key] | None, drop_empty_hyp: bool = False
    ) -> None:
        """See :func:`count_sides`."""
        self._columns = columns
        self._positional = positional
        self._seen = seen
        self._drop_empty_hyp = drop_empty_hyp

    def count(self, utt_id: str, *, ref: Side, hyp: Side) -> tuple[list[Count], list[EntityError]]:
        """Return the row of one utterance and, if positions are known, the errors of its entities."""
        row: list[Count] = [0] * self._columns.width
        ref_utt, hyp_utt = ref.utterances[utt_id], hyp.utterances[utt_id]
        edits = find_edits(ref=ref_utt.words, hyp=hyp_utt.words)
        alignment = list_columns(edits)
        self._add_errors(row, "wer", count_edits(edits))
        self._add_errors(row, "cer", count_errors(ref=" ".join(ref_utt.words), hyp=" ".join(hyp_utt.words)))
        errors: list[EntityError] = []
        if self._positional:
            tagged = count_errors(ref=ref.tagged_words(utt_id), hyp=hyp.tagged_words(utt_id))
            self._add_errors(row, "wer_tagged", tagged)
            assert isinstance(ref_utt, Transcript)
            inside = count_entity_word_errors(
                alignment, ref=ref_utt.words, hyp=hyp_utt.words, entities=ref_utt.entities
            )
            self._add_errors(row, "entity_wer", inside)
        if self._drop_empty_hyp and not hyp_utt.words:
            return row, errors
        self._add_mentions(row, ref=ref_utt, hyp=hyp_utt)
        if self._positional:
            assert isinstance(ref_utt, Transcript) and isinstance(hyp_utt, Transcript)
            errors = find_errors(alignment, ref=ref_utt, hyp=hyp_utt)
            self._add_positions(row, alignment, ref=ref_utt, hyp=hyp_utt)
        if self._seen is not None:
            self._add_seen(row, errors, self._seen, ref=ref_utt, hyp=hyp_utt)
        return row, errors

    def _add_errors(self, row: list[Count], name: str, counts: ErrorCounts) -> None:
        start = self._columns.start[(name,)]
        row[start : start + 4] = counts.num_sub, counts.num_del, counts.num_ins, counts.num_ref

    def _add_mentions(self, row: list[Count], *, ref: AnyTranscript, hyp: AnyTranscript) -> None:
        """Count the scores that need words and labels only."""
        ref_mentions, hyp_mentions = mentions_of(ref), mentions_of(hyp)
        if not ref_mentions and not hyp_mentions:
            return
        found = match(ref=ref_mentions, hyp=hyp_mentions)
        self._add_matches(row, "f1", found.both, found.only_hyp, found.only_ref)
        found = match(ref=[mention[:1] for mention in ref_mentions], hyp=[mention[:1] for mention in hyp_mentions])
        self._add_matches(row, "label_f1", found.both, found.only_hyp, found.only_ref)
        phrases = [phrase.split() for _, phrase in ref_mentions]
        if isinstance(ref, Transcript):
            starts = [entity.start for entity in ref.entities]
        else:
            starts = find_phrases(phrases, words=ref.words)
        mentions = zip(starts, phrases, strict=True)
        missed = count_missed(mentions, hyp=hyp.words), count_missed_substr((p for _, p in ref_mentions), hyp=hyp.words)
        for name, num_missed in zip(MISSES, missed, strict=True):
            start = self._columns.start[(name,)]
            row[start : start + 2] = num_missed, len(ref_mentions)

    def _add_positions(self, row: list[Count], alignment: Alignment, *, ref: Transcript, hyp: Transcript) -> None:
        if not ref.entities and not hyp.entities:
            return
        for name in ("f1_span", "f1_span_text"):
            key_of = MATCHINGS[name]
            found = match(ref=[key_of(ref, e) for e in ref.entities], hyp=[key_of(hyp, e) for e in hyp.entities])
            self._add_matches(row, name, found.both, found.only_hyp, found.only_ref)
        spans = project_spans(alignment, hyp.entities)
        hyp_keys = [(e.label, *(span or ())) for e, span in zip(hyp.entities, spans, strict=True)]
        found = match(ref=[(e.label, e.start, e.end) for e in ref.entities], hyp=hyp_keys)
        self._add_matches(row, "f1_aligned", found.both, found.only_hyp, found.only_ref)

    def _add_seen(
        self,
        row: list[Count],
        errors: list[EntityError],
        seen: frozenset[Key],
        *,
        ref: AnyTranscript,
        hyp: AnyTranscript,
    ) -> None:
        """Count the matches of ``f1`` separately for entities that occur in training and for those that do not.

        A wrong entity counts where its partner in the reference does: a misspelt known name is an error on known names,
        not on new ones. Without a partner, or without positions, an entity's own label and words decide.
        """
        ref_mentions, hyp_mentions = mentions_of(ref), mentions_of(hyp)
        if not self._positional:
            errors = match_mentions(ref=ref_mentions, hyp=hyp_mentions)
        for error in errors:
            only_hyp = [] if error.hyp is None else [hyp_mentions[error.hyp]]
            only_ref = [] if error.ref is None else [ref_mentions[error.ref]]
            decides = [*only_ref, *only_hyp][0]
            name = "seen" if decides in seen else "unseen"
            if error.kind == "correct":
                self._add_matches(row, name, [decides], (), ())
            else:
                self._add_matches(row, name, (), only_hyp, only_ref)

    def _add_matches(
        self, row: list[Count], name: str, both: Sequence[Key], only_hyp: Sequence[Key], only_ref: Sequence[Key]
    ) -> None:
        for offset, keys in enumerate((both, only_hyp, only_ref)):
            for key in keys:
                row[self._columns.start[(name, key[0])] + offset] += 1


def find_phrases(phrases: Sequence[Sequence[str]], *, words: Sequence[str]) -> list[int]:
    """Return where each phrase, in text order, most likely begins: after the one before, if it occurs there."""
    starts: list[int] = []
    behind = 0
    for phrase in phrases:
        found = find_occurrences(phrase, within=words)
        start = next((start for start in found if start >= behind), found[0] if found else 0)
        behind = start + len(phrase)
        starts.append(start)
    return starts
