"""Copies the clips of scored utterances beside the report page, as numbered FLAC files.

Beside ``report.html`` a folder ``report_audio/<digest>/`` holds ``1.flac``, ``2.flac``, …, one an utterance in the
order of the scores. Names are numbers, so that no utterance id becomes a path. The digest tells which clips of which
size they are: experiments on one set share its folder, other clips get another, and what is there is not copied again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote as quote_url

from spner.core.errors import SpnerError, quote
from spner.core.files import digest
from spner.core.paths import WAV_SCP
from spner.core.progress import Progress
from spner.data.audio import copy_stored, split_location
from spner.data.wav_scp import read_locations
from spner.report.scored import Scored


@dataclass(frozen=True)
class Clips:
    """The audio of a scored set's utterances."""

    folder: Path
    """Where the numbered files lie or will lie."""
    locations: tuple[str, ...]
    """What :func:`spner.data.audio.read_stored` reads, one an utterance."""

    @property
    def files(self) -> list[Path]:
        """The numbered files, one an utterance."""
        return [self.folder / f"{number}.flac" for number in range(1, len(self.locations) + 1)]

    @property
    def address(self) -> str:
        """The folder's URL, relative to the page."""
        return quote_url(f"{self.folder.parent.name}/{self.folder.name}")


def audio_folder(page: Path) -> Path:
    """Return the folder beside a page that holds its clips."""
    return page.with_name(f"{page.stem}_audio")


def find_clips(one: Scored, utt_ids: Sequence[str], *, page: Path, data: Path | None) -> Clips:
    """Find the audio of a scored set's utterances.

    Args:
        one: the scores; they name the references, beside which ``wav.scp`` lies.
        utt_ids: its utterances.
        page: the page to which the clips belong.
        data: the data folder, or the folder of one set, to look into instead.

    Raises:
        SpnerError: there is no ``wav.scp``, or it lacks an utterance or names a file that is missing.
    """
    wav_scp = _find_wav_scp(one, data)
    known = read_locations(wav_scp.parent)
    unknown = next((utt_id for utt_id in utt_ids if utt_id not in known), None)
    if unknown is not None:
        raise SpnerError(
            f"{wav_scp}: utterance {quote(unknown)} of {one.file} is not there; "
            "give the data folder with its audio as --data"
        )
    located = [split_location(known[utt_id]) for utt_id in utt_ids]
    files = {name: _find_audio(name, wav_scp) for name in dict.fromkeys(name for name, _ in located)}
    sizes = {name: file.stat().st_size for name, file in files.items()}
    identity = digest(
        [[utt_id, name, offset, sizes[name]] for utt_id, (name, offset) in zip(utt_ids, located, strict=True)]
    )
    return Clips(audio_folder(page) / identity[:16], tuple(f"{files[name]}{offset}" for name, offset in located))


def write_clips(clips: Sequence[Clips]) -> None:
    """Write the FLAC files that are not there yet.

    Raises:
        SpnerError: a clip cannot be read, or its file cannot be written.
    """
    missing = {
        file: location
        for one in clips
        for file, location in zip(one.files, one.locations, strict=True)
        if not file.exists()
    }
    with Progress(len(missing), what="copy clips", unit="clip") as progress:
        for file, location in missing.items():
            copy_stored(location, file)
            progress.update()


def count_clips(clips: Iterable[Clips]) -> str:
    """Return how many files there are and how large they are together."""
    files = {file for one in clips for file in one.files}
    return f"{len(files)}, {sum(file.stat().st_size for file in files) / 1e6:.1f} MB"


def _find_wav_scp(one: Scored, data: Path | None) -> Path:
    if data:
        places = [data / WAV_SCP, data / Path(one.set_name).name / WAV_SCP]
        found = next((place for place in places if place.is_file()), None)
        expected = " or ".join(map(str, places))
    else:
        ref = Path(one.ref)
        found = _find_beside(ref / WAV_SCP, one.file) or _find_beside(ref.parent / WAV_SCP, one.file)
        expected = f"{WAV_SCP} beside its references, {one.ref}"
    if not found:
        raise SpnerError(f"{one.file}: its audio was not found (expected {expected}); give the data folder as --data")
    return found


def _find_audio(name: str, wav_scp: Path) -> Path:
    found = _find_beside(Path(name), wav_scp)
    if not found:
        raise SpnerError(f"{wav_scp}: {name} is missing; rerun stage 1, or go to the folder it ran in")
    return found


def _find_beside(path: Path, known: Path) -> Path | None:
    """Find a file whose path may be relative to the folder that a recipe ran in, which holds ``known`` or is this."""
    return next((base / path for base in (*known.resolve().parents, Path()) if (base / path).is_file()), None)
