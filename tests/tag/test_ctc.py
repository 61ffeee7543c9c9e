"""Recordings by a CTC model: words at joins of windows, times, batches over recordings, and those that break off."""

from collections.abc import Iterator

import numpy as np
import pytest

from spner.tag.audio import Recording, RecordingError, from_waveform
from spner.tag.tagged import Tagged
from tests.tag.models import HOP, RATE_HZ, Listener, make_tagger, pause, speak

SENTENCE = "<PER> ada lovelace </NE> reist naar <LOC> gouda </NE>"


def test_a_sentence_has_its_words_entities_and_times() -> None:
    tagged = make_tagger().tag(np.concatenate([pause(1.0), speak(SENTENCE)]), RATE_HZ)
    assert tagged.text == "ada lovelace reist naar gouda"
    assert [(one.label, one.text, one.start_char, one.end_char) for one in tagged.entities] == [
        ("PER", "ada lovelace", 0, 12),
        ("LOC", "gouda", 24, 29),
    ]
    first = next(iter(tagged.words))
    assert first.start_s == pytest.approx(1.0 + 2.5 * HOP / RATE_HZ - 0.06, abs=0.02)  # behind the symbol and its blank
    assert first.confidence == pytest.approx(0.99)
    assert tagged.duration_s == pytest.approx(1.0 + len(speak(SENTENCE)) / RATE_HZ)


@pytest.mark.parametrize("window_s", [5.0, 7.3, 10.0, 20.0])
@pytest.mark.parametrize("silence_s", [0.0, 0.6, 3.0])
def test_no_word_is_lost_or_doubled_or_moved_at_a_join(window_s: float, silence_s: float) -> None:
    rng = np.random.default_rng(1)
    sentences = ["".join(rng.choice(list("abcdefgh"), size=5)) + " " + SENTENCE for _ in range(30)]
    recording = np.concatenate([part for text in sentences for part in (speak(text + " "), pause(silence_s))])
    whole = make_tagger(window_s=1000.0).tag(recording, RATE_HZ)
    tagged = make_tagger(window_s=window_s).tag(recording, RATE_HZ)
    expected = " ".join(sentences).replace("<PER> ", "").replace("<LOC> ", "").replace(" </NE>", "")
    assert tagged.text == whole.text == expected
    assert len(list(tagged.entities)) == 60
    assert [word.start_s for word in tagged.words] == pytest.approx([word.start_s for word in whole.words])


def test_windows_of_several_recordings_share_a_batch() -> None:
    listener = Listener()
    tagger = make_tagger(listener, batch_size=4)
    recordings = [from_waveform(speak(f"<PER> {name} </NE>"), RATE_HZ, name=name) for name in ("ada", "bob", "cleo")]
    found = {recording.name: tagged.text for recording, tagged in tagger.tag_all(recordings)}
    assert found == {"ada": "ada", "bob": "bob", "cleo": "cleo"}
    assert [len(batch) for batch in listener.batches] == [3]


def test_a_batch_is_not_mostly_padding() -> None:
    listener = Listener()
    recordings = [from_waveform(np.resize(speak("ada "), n * RATE_HZ), RATE_HZ) for n in (1, 18, 1)]
    list(make_tagger(listener).tag_all(recordings))
    assert all(max(batch) * len(batch) <= 1.5 * sum(batch) for batch in listener.batches)
    assert sum(map(len, listener.batches)) == 3


def test_a_recording_that_breaks_off_gives_an_error_and_the_others_their_words() -> None:
    def blocks() -> Iterator[np.ndarray]:
        yield np.resize(speak("ada "), 50 * RATE_HZ)
        raise RecordingError("broken.mp3: breaks off after 50.0 s")

    recordings = [
        from_waveform(speak("ada"), RATE_HZ, name="a"),
        Recording("broken.mp3", 60.0, blocks),
        from_waveform(speak("bob"), RATE_HZ, name="b"),
    ]
    found = {recording.name: result for recording, result in make_tagger(batch_size=2).tag_all(recordings)}
    assert str(found["broken.mp3"]) == "broken.mp3: breaks off after 50.0 s"
    assert [one.text for one in found.values() if isinstance(one, Tagged)] == ["ada", "bob"]


def test_a_recording_that_is_shorter_than_its_header_says_is_told(caplog: pytest.LogCaptureFixture) -> None:
    sound = np.resize(speak("ada "), 5 * RATE_HZ)
    recordings = [Recording(f"{seconds}.mp3", seconds, lambda: iter([sound])) for seconds in (0.0, 5.5, 60.0)]
    list(make_tagger().tag_all(recordings))
    assert caplog.messages == ["60.0.mp3: ends after 5.0 s, but its header says 60.0 s: it may be cut short"]


@pytest.mark.parametrize("seconds", [0.0, 0.01, 0.05, 600.0])
def test_silence_has_no_words(seconds: float) -> None:
    if not seconds:
        with pytest.raises(RecordingError, match="array: holds no sound"):
            make_tagger().tag(pause(seconds), RATE_HZ)
        return
    tagged = make_tagger().tag(pause(seconds), RATE_HZ)
    assert (tagged.segments, tagged.text) == ((), "")


def test_the_bar_counts_every_second_once() -> None:
    counted: list[float] = []
    recordings = [from_waveform(pause(seconds), RATE_HZ) for seconds in (1.5, 45.0)]
    list(make_tagger().tag_all(recordings, counted.append))
    assert sum(counted) == pytest.approx(46.5)


def test_an_array_needs_its_rate_and_a_file_has_its_own() -> None:
    with pytest.raises(ValueError, match="rate_hz"):
        make_tagger().tag(pause(1.0))
    with pytest.raises(ValueError, match="rate_hz"):
        make_tagger().tag("talk.mp3", 16_000)
