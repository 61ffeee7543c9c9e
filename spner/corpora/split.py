"""One set -> train, dev and test by speaker, for a corpus that has ``validated`` alone, as small languages do.

No speaker is in two sets. Nor is a sentence, because stage 1 keeps the first of equal ones: test's before dev's before
train's. Heavy speakers go to train, as in Common Voice's own split.
"""

import hashlib
from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import compress

from spner.core.datatypes import Utterance
from spner.core.errors import SpnerError
from spner.core.paths import DEV, SETS, TEST, TRAIN
from spner.core.streams import Streamed
from spner.corpora.corpus import CorpusSet

SHARE = 0.1  # of the utterances, that dev and test have at most unless a single speaker has more


def split_by_speaker(whole: CorpusSet, *, seed: int, where: str) -> dict[str, CorpusSet]:
    """Return train, dev and test; each speaker's place depends on the seed, not on the order of the rows.

    Args:
        whole: a set without transcripts of its own. Its notes and rows that cannot be read count as train's.
        seed: of the draw.
        where: names the set in messages.

    Raises:
        SpnerError: there are fewer than three speakers.
    """
    num_utts = Counter(utterance.spk_id for utterance in whole.utterances)
    if len(num_utts) < len(SETS):
        raise SpnerError(
            f"{where}: holds sentences of {len(num_utts)} speakers (expected {len(SETS)} at least, to split it by "
            "speaker); make train.tsv, dev.tsv and test.tsv of it by hand"
        )
    homes = _place_speakers(num_utts, seed)

    def select(name: str) -> Iterator[Utterance]:
        return (u for u in whole.utterances if homes[u.spk_id] == name)

    return {
        name: replace(
            whole,
            utterances=Streamed(partial(select, name), sum(n for s, n in num_utts.items() if homes[s] == name)),
            empty=tuple(u for u in whole.empty if homes.get(u.spk_id, TRAIN) == name),
            ragged_lines=whole.ragged_lines if name == TRAIN else (),
            notes=whole.notes if name == TRAIN else {},
            stated_s=array("d", compress(whole.stated_s, (homes[u.spk_id] == name for u in whole.utterances))),
        )
        for name in SETS
    }


def _place_speakers(num_utts: Counter[str], seed: int) -> dict[str, str]:
    """Return the set of each speaker; those with the fewest utterances begin test and dev, so that neither is empty."""
    drawn = sorted(num_utts, key=lambda spk_id: hashlib.sha256(f"{seed} {spk_id}".encode()).digest())
    fewest = sorted(drawn, key=lambda spk_id: num_utts[spk_id])
    homes = dict(zip(fewest, (TEST, DEV), strict=False))
    room = {name: SHARE * num_utts.total() - num_utts[spk_id] for spk_id, name in homes.items()}
    for spk_id in drawn:
        if spk_id not in homes:
            homes[spk_id] = next((name for name in room if num_utts[spk_id] <= room[name]), TRAIN)
            if homes[spk_id] in room:
                room[homes[spk_id]] -= num_utts[spk_id]
    return homes
