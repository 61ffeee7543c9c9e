"""Joins the clips of a set into a dozen recordings; ``gold.tsv`` and ``words.tsv`` say which names, words are spoken.

Usage: join.py RECIPE SET FOLDER     SET: of stage 1, in the recipe's folder, such as data/mini/test
"""

import os
import sys
from pathlib import Path

import numpy as np
import soundfile

from spner.core.files import atomic_path, atomic_text
from spner.core.paths import GOLD_ENTITIES, WORD_TIMES
from spner.data.audio import SAMPLE_RATE_HZ, read_stored
from spner.data.datadir import read_entities, read_word_times
from spner.data.wav_scp import read_locations

NUM_RECORDINGS = 12
PAUSE_S = 1.0


def join(folder: Path, out: Path) -> None:
    """Write ``talk_01.flac`` and so on, and the gold names."""
    locations = sorted(read_locations(folder).items())
    transcripts, times = read_entities(folder / GOLD_ENTITIES), read_word_times(folder / WORD_TIMES)
    lines: list[str] = []
    words: list[str] = []
    for number in range(NUM_RECORDINGS):
        name = f"talk_{number + 1:02}.flac"
        parts: list[np.ndarray] = []
        begin_s = 0.0
        for utt_id, location in locations[number::NUM_RECORDINGS]:
            clip = read_stored(location)
            for entity in transcripts[utt_id].entities:
                start_s, end_s = times[utt_id][entity.start][0] + begin_s, times[utt_id][entity.end - 1][1] + begin_s
                lines.append(
                    f"{name}\t{start_s:.3f}\t{end_s:.3f}\t{entity.label}\t{transcripts[utt_id].phrase(entity)}\n"
                )
            names = {place for entity in transcripts[utt_id].entities for place in range(entity.start, entity.end)}
            for place, (word, (start_s, end_s)) in enumerate(
                zip(transcripts[utt_id].words, times[utt_id], strict=True)
            ):
                kind = "name" if place in names else "word"
                words.append(f"{name}\t{start_s + begin_s:.3f}\t{end_s + begin_s:.3f}\t{kind}\t{word}\n")
            parts += [clip, np.zeros(round(PAUSE_S * SAMPLE_RATE_HZ), clip.dtype)]
            begin_s += len(clip) / SAMPLE_RATE_HZ + PAUSE_S
        _write(out / name, np.concatenate(parts))
    for file_name, rows in (("gold.tsv", lines), ("words.tsv", words)):
        with atomic_text(out / file_name) as file:
            file.writelines(rows)
    print(f"{out}: {NUM_RECORDINGS} recordings, {len(lines)} names")


def _write(path: Path, samples: np.ndarray) -> None:
    """Write a recording; one of the same content keeps its time, so that it is not tagged again."""
    if path.exists() and np.array_equal(soundfile.read(path, dtype="int16")[0], _integers(samples)):
        return
    with atomic_path(path) as temporary:
        soundfile.write(temporary, _integers(samples), SAMPLE_RATE_HZ, format="FLAC")


def _integers(samples: np.ndarray) -> np.ndarray:
    return np.rint(samples * 32767).astype(np.int16)


if __name__ == "__main__":
    recipe, set_folder, out_folder = map(Path, sys.argv[1:])
    out_folder = out_folder.absolute()
    os.chdir(recipe)  # paths in wav.scp are relative to it
    join(set_folder, out_folder)
