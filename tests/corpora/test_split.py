"""Sets made of one set: by speaker, seeded, none empty."""

from collections import Counter
from dataclasses import replace

import pytest

from spner.core.datatypes import Utterance
from spner.core.errors import SpnerError
from spner.core.paths import SETS
from spner.corpora.corpus import CorpusSet
from spner.corpora.split import split_by_speaker


def whole(num_utts: dict[str, int]) -> CorpusSet:
    """Return a set with so many utterances of each speaker, in turns."""
    left = Counter(num_utts)
    utterances = []
    while left.total():
        for spk_id in [spk_id for spk_id in num_utts if left[spk_id]]:
            left[spk_id] -= 1
            utt_id = f"{spk_id}-{left[spk_id]}"
            utterances.append(Utterance(utt_id, spk_id, f"{utt_id}.mp3", f"Zin {utt_id}."))
    return CorpusSet(tuple(utterances), ragged_lines=(3,), notes={"rows": 1})


def split(num_utts: dict[str, int], seed: int = 1) -> dict[str, CorpusSet]:
    return split_by_speaker(whole(num_utts), seed=seed, where="nl/validated.tsv")


def speakers(sets: dict[str, CorpusSet]) -> dict[str, set[str]]:
    return {name: {u.spk_id for u in one.utterances} for name, one in sets.items()}


MANY = {f"s{n:03d}": 1 + n % 7 for n in range(200)} | {"heavy": 150}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_speaker_is_in_two_sets_and_a_tenth_goes_to_dev_and_to_test(seed: int) -> None:
    sets = split(MANY, seed)
    homes = speakers(sets)
    assert list(sets) == list(SETS) and set.union(*homes.values()) == set(MANY)
    assert sum(map(len, homes.values())) == len(MANY) and "heavy" in homes["train"]
    total = sum(MANY.values())
    for name in ("dev", "test"):
        assert 0.095 * total < len(sets[name].utterances) <= 0.1 * total
    assert sum(len(one.utterances) for one in sets.values()) == total


def test_the_seed_decides_and_the_order_of_the_rows_does_not() -> None:
    again = dict(reversed(MANY.items()))
    assert speakers(split(MANY)) == speakers(split(again)) != speakers(split(MANY, 2))
    order = [u.utt_id for u in whole(MANY).utterances]
    train = [u.utt_id for u in split(MANY)["train"].utterances]
    assert train == [utt_id for utt_id in order if utt_id in set(train)]


def test_durations_go_with_their_utterances() -> None:
    one = whole(MANY)
    stated_s = {utterance.utt_id: float(number) for number, utterance in enumerate(one.utterances)}
    sets = split_by_speaker(replace(one, stated_s=list(stated_s.values())), seed=1, where="nl/validated.tsv")
    for part in sets.values():
        assert list(part.stated_s) == [stated_s[utterance.utt_id] for utterance in part.utterances]
        assert len(part.stated_s) == len(part.utterances)
    assert all(len(part.stated_s) == 0 for part in split(MANY).values())


def test_three_speakers_of_many_utterances_each() -> None:
    homes = speakers(split({"a": 50, "b": 100, "c": 60}))
    assert homes == {"train": {"b"}, "dev": {"c"}, "test": {"a"}}


def test_rows_that_cannot_be_read_are_counted_once() -> None:
    sets = split(MANY)
    assert [(one.ragged_lines, one.notes) for one in sets.values()] == [((3,), {"rows": 1}), ((), {}), ((), {})]


def test_two_speakers_cannot_be_split() -> None:
    with pytest.raises(SpnerError) as error:
        split({"a": 5, "b": 5})
    assert str(error.value) == (
        "nl/validated.tsv: holds sentences of 2 speakers (expected 3 at least, to split it by speaker); make "
        "train.tsv, dev.tsv and test.tsv of it by hand"
    )
