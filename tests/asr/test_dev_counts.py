"""What selects checkpoints and a search's weights, counted by hand."""

from spner.asr.dev_counts import count_dev
from spner.core.datatypes import LABELS


def test_errors_without_and_with_symbols_and_entities_by_hand() -> None:
    """A place without its symbols, a word too many and two that are missing."""
    refs = ["<PER> jan </NE> ziet <LOC> rome </NE>", "ja nee"]
    hyps = ["<PER> jan </NE> ziet nu rome", ""]
    errors, tagged_errors, found = count_dev(
        [ref.split() for ref in refs], [hyp.split() for hyp in hyps], labels=LABELS
    )
    assert (errors.num_sub, errors.num_ins, errors.num_del, errors.num_ref) == (0, 1, 2, 5)
    assert tagged_errors.num_ref == 9 and tagged_errors.num_sub + tagged_errors.num_ins + tagged_errors.num_del == 4
    assert (found.tp, found.fp, found.fn) == (1, 0, 1)


def test_an_entity_is_found_with_its_words_and_its_label_alone() -> None:
    """Label-F1 would count the first, and a score of places alone the second."""
    ref = "<PER> jan </NE> ziet rome".split()
    for hyp in ("<PER> jon </NE> ziet rome", "<LOC> jan </NE> ziet rome"):
        *_, found = count_dev([ref], [hyp.split()], labels=LABELS)
        assert (found.tp, found.fp, found.fn) == (0, 1, 1), hyp
    *_, found = count_dev([ref], [ref], labels=LABELS)
    assert (found.tp, found.fp, found.fn) == (1, 0, 0)
