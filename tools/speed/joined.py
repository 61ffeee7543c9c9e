"""Print the scores of a test set's utterances alone and joined into one recording, as docs/tagging.md shows them.

    OMP_NUM_THREADS=1 python tools/speed/joined.py nl.zip egs/cv_nl/data/mini/test

Alone, utterances begin up to a frame later in each of the eight rows: such starts alone move F1 by several points.
Joined, every utterance comes three times, in drawn order; what is found belongs to the utterance that it lies in.
"""

import argparse
import bisect
import random
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from spner.core.datatypes import Entity, Transcript
from spner.data.audio import SAMPLE_RATE_HZ, read_stored
from spner.data.datadir import read_entities, read_table
from spner.scoring.options import Options
from spner.scoring.score import score
from spner.tag.audio import from_waveform
from spner.tag.ctc import CtcTranscriber
from spner.tag.load import TagOptions, load_model
from spner.tag.models import SpeechModel
from spner.tag.tagged import Tagged
from spner.tag.tagger import Tagger
from spner.text.tags import spans_to_text

FRAME = 640  # samples


def split(tagged: Tagged, ends_s: Sequence[float]) -> list[Transcript]:
    """Return what was found in each utterance, by the seconds at which they end."""
    words: list[list[str]] = [[] for _ in ends_s]
    entities: list[list[Entity]] = [[] for _ in ends_s]
    for segment in tagged.segments:
        places = {}
        for word in segment.words:
            utterance = min(bisect.bisect(ends_s, (word.start_s + word.end_s) / 2), len(ends_s) - 1)
            places[word.start_char] = (utterance, len(words[utterance]))
            words[utterance].append(word.text)
        for entity in segment.entities:
            utterance, start = places[entity.start_char]
            entities[utterance].append(Entity(start, start + len(entity.text.split()), entity.label))
    return [
        Transcript(tuple(said), tuple(one for one in found if one.end <= len(said)))
        for said, found in zip(words, entities, strict=True)
    ]


def print_scores(what: str, pairs: Sequence[tuple[Transcript, Transcript]]) -> None:
    """Print the scores of pairs of reference and hypothesis."""
    with tempfile.TemporaryDirectory() as folder:
        sides = [Path(folder, name) for name in ("ref", "hyp")]
        for side, path in enumerate(sides):
            lines = [f"{place:06} {spans_to_text(pair[side])}\n" for place, pair in enumerate(pairs)]
            path.write_text("".join(lines), encoding="utf-8")
        scores = score(sides[0], sides[1], Options(num_draws=0))
    print(f"{what}: WER {scores['wer']['rate']:.4f}, F1 {scores['f1']['micro']['f1']:.3f}", flush=True)


def tag_joined(
    model: SpeechModel,
    clips: Mapping[str, np.ndarray],
    order: Sequence[str],
    *,
    gap_s: float,
    noise_db: float,
    window_s: float,
) -> list[Transcript]:
    """Return what is found in each utterance of a recording of all of them, with noise between them."""
    noise = np.random.default_rng(0)
    parts, ends_s, num_samples = [], [], 0
    for utt_id in order:
        gap = 10 ** (noise_db / 20) * noise.normal(size=round(gap_s * SAMPLE_RATE_HZ))
        parts += [clips[utt_id], gap.astype(np.float32)]
        num_samples += len(clips[utt_id]) + len(gap)
        ends_s.append((num_samples - len(gap) / 2) / SAMPLE_RATE_HZ)
    tagger = Tagger(CtcTranscriber(model, window_s=window_s))
    return split(tagger.tag(np.concatenate(parts), SAMPLE_RATE_HZ), ends_s)


def main() -> None:
    """Print a line for each way to hear the utterances."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pack", type=Path)
    parser.add_argument("test", type=Path, help="data folder of the test set")
    given = parser.parse_args()
    model = load_model(given.pack, TagOptions(given.pack, device="cpu"))
    refs = read_entities(given.test / "gold_entities.jsonl")
    clips = {utt_id: read_stored(stored) for utt_id, stored in read_table(given.test / "wav.scp").items()}
    for seed in range(8):
        starts = np.random.default_rng(seed).integers(0, FRAME, len(clips))
        recordings = [
            from_waveform(clips[utt_id][start:], SAMPLE_RATE_HZ, name=utt_id)
            for utt_id, start in zip(sorted(clips), starts, strict=True)
        ]
        found = Tagger(CtcTranscriber(model)).tag_all(recordings)
        pairs = [(refs[one.name], split(tagged, [np.inf])[0]) for one, tagged in found if isinstance(tagged, Tagged)]
        print_scores(f"alone, starts {seed}", pairs)
    rows = [(seed, 0.0, -200.0, window_s) for seed, window_s in ((1, 10.0), (1, 20.0), (1, 40.0), (2, 20.0), (3, 20.0))]
    rows += [(1, 0.5, noise_db, 20.0) for noise_db in (-200.0, -60.0, -50.0)]
    for seed, gap_s, noise_db, window_s in rows:
        draw = random.Random(seed)
        order = [utt_id for _ in range(3) for utt_id in draw.sample(sorted(clips), len(clips))]
        found_in = tag_joined(model, clips, order, gap_s=gap_s, noise_db=noise_db, window_s=window_s)
        what = f"joined, order {seed}, {gap_s} s of {noise_db:.0f} dBFS between, windows of {window_s:.0f} s"
        print_scores(what, [(refs[utt_id], one) for utt_id, one in zip(order, found_in, strict=True)])


if __name__ == "__main__":
    main()
