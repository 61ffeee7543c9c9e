"""Redacts the recordings and lets a recogniser listen: how many gold names does it still hear, how many words are lost?

Usage: redaction.py DATA MODEL [--asr NAME] [--labels "PER ORG LOC"] [--limit N]
       DATA: of join.py; --asr: recogniser that listens, such as Whisper's base; by default the model itself

A word is heard where the recogniser writes it, folded, at most 0.5 s from its true time; a name, if all its words are.
"""

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from spner.archive.fold import fold
from spner.archive.redact import Redaction, redact
from spner.core.files import read_lines
from spner.tag.audio import open_recording
from spner.tag.load import TagOptions, load_tagger, load_transcriber
from spner.tag.tagged import Tagged, Word
from spner.tag.transcriber import Transcriber

NEAR_S = 0.5
Row = tuple[float, float, str]


def read_rows(path: Path, recording: str, kinds: Sequence[str]) -> list[Row]:
    """Return start, end and text of a recording's rows of these kinds."""
    rows = (line.split("\t") for line in read_lines(path))
    return [(float(a), float(b), text) for name, a, b, kind, text in rows if name == recording and kind in kinds]


def listen(transcriber: Transcriber, path: Path) -> list[Word]:
    """Return the words that are heard."""
    ((_, found),) = transcriber.transcribe([open_recording(path)], lambda _seconds: None)
    if not isinstance(found, Tagged):
        raise found
    return list(found.words)


def is_heard(words: Sequence[Word], row: Row) -> bool:
    """Whether all words of a row are heard at its time."""
    start_s, end_s, text = row
    near = [word.text for word in words if word.start_s < end_s + NEAR_S and start_s - NEAR_S < word.end_s]
    said = {part for word in near for part in fold(word).split()}
    return set(fold(text).split()) <= said


def measure(data: Path, options: argparse.Namespace) -> Iterator[tuple[list[int], list[int]]]:
    """Yield for each recording (all, heard before, heard after) of its names and of its other words."""
    labels = tuple(options.labels.split())
    tagger = load_tagger(TagOptions(options.model, device="cpu"))
    verifier = TagOptions(asr=options.asr or str(options.model), device="cpu", lang="nl")
    transcriber = load_transcriber(str(verifier.asr), verifier)
    for path in sorted(data.glob("*.flac"))[: options.limit]:
        names = read_rows(data / "gold.tsv", path.name, labels)
        others = read_rows(data / "words.tsv", path.name, ["word"])
        with tempfile.TemporaryDirectory() as folder:
            redacted = Path(folder) / path.name
            redact(path, redacted, tagger, Redaction(labels), lambda: transcriber)
            before, after = listen(transcriber, path), listen(transcriber, redacted)
        counts = [
            [len(rows), sum(is_heard(before, row) for row in rows), sum(is_heard(after, row) for row in rows)]
            for rows in (names, others)
        ]
        yield counts[0], counts[1]


def main() -> None:
    """Print the sums."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--asr")
    parser.add_argument("--labels", default="PER ORG LOC")
    parser.add_argument("--limit", type=int)
    options = parser.parse_args()
    counts = list(measure(options.data, options))
    for kind, place in (("gold names", 0), ("other words", 1)):
        total, before, after = (sum(one[place][i] for one in counts) for i in range(3))
        print(f"{kind}: {total}; heard before {before}, after {after} ({100 * (1 - after / before):.1f} % gone)")


if __name__ == "__main__":
    main()
