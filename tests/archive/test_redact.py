"""``spner redact``: what is covered, what stays sample by sample, what is written, when nothing is."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from spner.archive.cuts import find_cuts, join_spans, redact_transcript
from spner.archive.redact import SILENCE, Redaction, cover, redact
from spner.archive.samples import open_samples
from spner.archive.verify import find_heard, require_other
from spner.core.errors import SpnerError
from spner.tag.audio import Recording
from spner.tag.tagged import Tagged
from spner.tag.tagger import Tagger
from spner.tag.transcriber import Advance
from tests.archive.talks import segment, talk
from tests.tag.models import RATE_HZ, make_tagger, speak

NAMES = "<PER> Ada Kok </NE> kent <LOC> Gent </NE> en ada KOK zwijgt"


@dataclass
class Hears:
    """A recogniser that hears what it is told to."""

    tagged: Tagged
    writes_entities: bool = False
    lang: str | None = "nl"

    def transcribe(self, recordings: Iterable[Recording], _advance: Advance) -> Iterator[tuple[Recording, Tagged]]:
        """Yield the same for every recording."""
        for recording in recordings:
            yield recording, self.tagged


def nobody() -> Hears:
    raise AssertionError("nobody was to listen")


def noise(num_samples: int, num_channels: int) -> np.ndarray:
    return np.random.default_rng(1).uniform(-0.9, 0.9, (num_samples, num_channels))


@pytest.mark.parametrize(
    ("source", "subtype", "target", "written"),
    [
        ("a.wav", "PCM_16", "b.flac", "PCM_16"),
        ("a.wav", "PCM_U8", "b.wav", "PCM_16"),
        ("a.wav", "PCM_24", "b.wav", "PCM_24"),
        ("a.wav", "PCM_32", "b.wav", "PCM_32"),
        ("a.wav", "FLOAT", "b.wav", "FLOAT"),
        ("a.wav", "DOUBLE", "b.wav", "DOUBLE"),
        ("a.wav", "ULAW", "b.flac", "PCM_16"),
        ("a.flac", "PCM_24", "b.flac", "PCM_24"),
        ("a.ogg", "VORBIS", "b.wav", "FLOAT"),
        ("a.mp3", "MPEG_LAYER_III", "b.wav", "FLOAT"),
    ],
)
@pytest.mark.parametrize("sound", ["beep", "silence"])
def test_every_other_sample_stays(
    tmp_path: Path, source: str, subtype: str, target: str, written: str, sound: str
) -> None:
    rate_hz = 44_100
    soundfile.write(tmp_path / source, noise(7 * rate_hz, 2), rate_hz, subtype)  # more than a block
    cover(tmp_path / source, tmp_path / target, [(0.5, 1.0), (5.9, 6.1), (6.9, 99.0)], sound=sound)
    before, after = (soundfile.read(tmp_path / name, dtype="float64")[0] for name in (source, target))
    form = soundfile.info(tmp_path / target)
    assert (form.samplerate, form.channels, form.subtype, len(after)) == (rate_hz, 2, written, len(before))
    inside = np.zeros(len(before), bool)
    for start, end in ((22_050, 44_100), (260_190, 269_010), (304_290, len(before))):
        inside[start:end] = True
    assert np.array_equal(after[~inside], before[~inside])
    covered = after[inside]
    assert np.abs(covered).max() == (0 if sound == SILENCE else pytest.approx(0.1, abs=1e-3))
    if sound != SILENCE:
        loudest = np.abs(np.fft.rfft(after[22_050:44_100, 0])).argmax() * rate_hz / 22_050
        assert loudest == pytest.approx(1000, abs=3) and np.array_equal(covered[:, 0], covered[:, 1])


def test_what_ffmpeg_alone_reads_is_copied(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    with av.open(str(tmp_path / "a.m4a"), "w") as container:
        stream = container.add_stream("aac", rate=48_000, layout="stereo")
        frame = av.AudioFrame.from_ndarray(noise(48_000, 2).T.astype(np.float32).copy(), "fltp", "stereo")
        frame.rate = 48_000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    cover(tmp_path / "a.m4a", tmp_path / "b.wav", [(0.5, 0.6)], sound="silence")
    with open_samples(tmp_path / "a.m4a") as (form, blocks):
        before = np.concatenate(list(blocks))
    after, rate_hz = soundfile.read(tmp_path / "b.wav", dtype="float32")
    assert (form.rate_hz, form.num_channels, len(after)) == (rate_hz, 2, len(before))
    assert not after[24_000:28_800].any() and np.array_equal(after[28_800:], before[28_800:])


@pytest.mark.parametrize(
    ("target", "subtype", "message"),
    [
        ("b.mp3", "PCM_16", "ends with neither .flac nor .wav"),
        ("b.flac", "FLOAT", "FLAC cannot hold the recording's samples"),
        ("b.flac", "PCM_32", "write a .wav"),
    ],
)
def test_formats_that_would_change_samples_are_refused(tmp_path: Path, target: str, subtype: str, message: str) -> None:
    soundfile.write(tmp_path / "a.wav", noise(100, 1), 8000, subtype)
    with pytest.raises(SpnerError, match=message):
        cover(tmp_path / "a.wav", tmp_path / target, [], sound="beep")


def test_names_go_wherever_their_words_are() -> None:
    tagged = talk(NAMES, "<PER> Bo </NE> en bo")
    cuts = find_cuts(tagged, ["PER"], min_confidence=0.0)
    assert [(cut.segment, cut.first, cut.end, cut.tagged) for cut in cuts] == [
        (0, 0, 2, True),
        (0, 5, 7, False),
        (1, 0, 1, True),  # two letters: its other "bo" may be another word
    ]
    assert join_spans(cuts, pad_s=0.25) == [(0.0, 1.25), (2.25, 3.75), (9.75, 10.75)]
    assert join_spans(cuts, pad_s=0.5) == [(0.0, 1.5), (2.0, 4.0), (9.5, 11.0)]
    assert join_spans(cuts, pad_s=1.0) == [(0.0, 4.5), (9.0, 11.5)]
    assert len(find_cuts(tagged, ["PER", "LOC"], min_confidence=0.0)) == 4
    assert find_cuts(tagged, ["PER", "LOC"], min_confidence=0.95) == []


def test_the_transcript_has_labels_in_the_place_of_names() -> None:
    tagged = talk(NAMES)
    redacted = redact_transcript(tagged, find_cuts(tagged, ["PER"], min_confidence=0.0), audio="b.flac")
    (one,) = redacted.segments
    assert one.text == "[PER] kent Gent en [PER] zwijgt" and redacted.audio == "b.flac"
    assert [(entity.label, entity.text) for entity in one.entities] == [("LOC", "Gent")]
    assert (one.words[4].start_s, one.words[4].end_s) == (2.5, 3.5)


@pytest.mark.parametrize(
    "words",
    [
        {"start_s": 1.0, "end_s": 1.0},
        {"start_s": 1.0, "end_s": float("nan")},
        {"start_s": 99.0, "end_s": 99.5},
        {"confidence": 0.0},
    ],
)
def test_missing_times_are_refused(words: dict[str, float]) -> None:
    one = segment("<PER> Ada </NE>")
    times = {key: value for key, value in words.items() if key != "confidence"}
    one = replace(
        one,
        words=tuple(replace(word, **words) for word in one.words),
        entities=tuple(replace(entity, **times) for entity in one.entities),
    )
    with pytest.raises(SpnerError, match="nobody knows when exactly; nothing is written") as caught:
        find_cuts(Tagged("a.wav", 10.0, (one,)), ["PER"], min_confidence=0.0)
    assert "Ada" not in str(caught.value)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    soundfile.write(tmp_path / "a.wav", speak("<PER> ada kok </NE> praat in <LOC> gent </NE>"), RATE_HZ, "FLOAT")
    return tmp_path / "a.wav"


def test_a_recording_its_transcript_and_its_report(recording: Path, tmp_path: Path) -> None:
    output = tmp_path / "out/a.redacted.wav"
    redact(recording, output, make_tagger(), Redaction(("PER",), 0.0, formats=("txt", "jsonl")), nobody)
    written = sorted(path.name for path in output.parent.iterdir())
    assert written == ["a.redacted.jsonl", "a.redacted.report.json", "a.redacted.txt", "a.redacted.wav"]
    assert "[PER] praat in [LOC gent]" in (output.parent / "a.redacted.txt").read_text()
    report = json.loads((output.parent / "a.redacted.report.json").read_text())
    (taken,) = report["taken_out"]
    assert taken["name"] == "ada kok" and "not a guarantee" in report["note"]
    heard = make_tagger().tag(output)
    assert "ada" not in heard.text and heard.text.endswith("praat in gent")


@pytest.mark.parametrize(
    ("heard", "seconds"),
    [
        ("ada praat", []),
        ("praat adakok", [0.5]),
        ("ada kok praat", [0.0]),
        ("ada een kok", []),
    ],
)
def test_names_that_are_heard_are_found(heard: str, seconds: list[float]) -> None:
    cuts = find_cuts(talk(NAMES), ["PER"], min_confidence=0.0)
    assert sorted(set(find_heard(talk(heard), cuts))) == seconds


def test_long_words_of_a_name_count_where_it_was_spoken() -> None:
    cuts = find_cuts(talk("<PER> angela merkel </NE> praat"), ["PER"], min_confidence=0.0)
    assert list(find_heard(talk("merckel praat"), cuts)) == [0.0]
    assert list(find_heard(talk("niets", "merkel praat"), cuts)) == []


def test_nothing_is_written_while_a_name_is_heard(recording: Path, tmp_path: Path) -> None:
    how = Redaction(("PER",), verifier="whisper")
    with pytest.raises(SpnerError, match=r"^whisper still hears names at 0\.0 s; nothing is written") as caught:
        redact(recording, tmp_path / "out/b.wav", make_tagger(), how, lambda: Hears(talk("ada kok praat")))
    assert "ada" not in str(caught.value) and list((tmp_path / "out").iterdir()) == []
    redact(recording, tmp_path / "out/b.wav", make_tagger(), how, lambda: Hears(talk("praat")))
    assert json.loads((tmp_path / "out/b.report.json").read_text())["verified_by"] == "whisper"


def test_what_cannot_be_is_refused(recording: Path, tmp_path: Path) -> None:
    with pytest.raises(SpnerError, match="names no label"):
        Redaction(())
    with pytest.raises(SpnerError, match='--labels "PERS": is none of the model\'s .*did you mean "PER"'):
        redact(recording, tmp_path / "b.wav", make_tagger(), Redaction(("PERS",)), nobody)
    with pytest.raises(SpnerError, match="is the recording itself"):
        redact(recording, recording, make_tagger(), Redaction(("PER",)), nobody)
    with pytest.raises(SpnerError, match=f"^{tmp_path}/b.mp3: ends with neither"):
        redact(recording, tmp_path / "b.mp3", make_tagger(), Redaction(("PER",)), nobody)
    (tmp_path / "one").write_bytes(b"x")
    (tmp_path / "two").write_bytes(b"x")
    for verifier, recogniser in (("small", "small"), (str(tmp_path / "one"), str(tmp_path / "two"))):
        with pytest.raises(SpnerError, match="is the recogniser that finds the names"):
            require_other(verifier, recogniser)
    require_other("small", "base")


def test_taggers_of_text_choose_their_own_labels(recording: Path, tmp_path: Path) -> None:
    tagger = Tagger(Hears(talk("<MISC> Ada </NE> praat", name="a.wav")), lambda tagged: tagged)
    assert redact(recording, tmp_path / "b.wav", tagger, Redaction(("PRODUCT",)), nobody) == []
