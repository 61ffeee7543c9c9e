from pathlib import Path

import espeakng_loader
import numpy as np
import pytest

from spner.core.errors import SpnerError
from spner.mini.clips import VARIANTS
from spner.mini.espeak import Voice, speak, time_words

SENTENCE = "Angela Merkel reist naar Amsterdam."


def test_speech_is_mono_float_of_plausible_length_and_level() -> None:
    waveform, rate_hz = speak(SENTENCE, Voice("nl"))
    assert waveform.ndim == 1 and waveform.dtype == np.float32 and rate_hz == 22050
    assert 1.5 < len(waveform) / rate_hz < 3.5
    assert 0.02 < waveform.std() < 0.3 and np.abs(waveform).max() <= 1


def test_speech_does_not_depend_on_what_was_said_before() -> None:
    first, _ = speak(SENTENCE, Voice("nl+f4"))
    speak("Etwas anderes, das länger ist.", Voice("de+m3", rate_wpm=120, pitch=80))
    again, _ = speak(SENTENCE, Voice("nl+f4"))
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize("variant", [variant for variant, _, _ in VARIANTS])
def test_no_speaker_says_a_sentence_differently_the_next_time(variant: str) -> None:
    said = set()
    for num_blocks in range(8):
        blocks = [np.full(700 * size, 1e30) for size in range(num_blocks)]  # leaves other rubbish in freed memory
        del blocks
        said.add(speak("In de bergen ligt in oktober nog sneeuw.", Voice(f"nl{variant}"))[0].tobytes())
    assert len(said) == 1


def test_rate_and_pitch_are_heard() -> None:
    slow, _ = speak(SENTENCE, Voice("nl", rate_wpm=120))
    fast, _ = speak(SENTENCE, Voice("nl", rate_wpm=200))
    assert len(slow) > 1.3 * len(fast)
    low, _ = speak("aaaaaaa", Voice("nl", pitch=0))
    high, _ = speak("aaaaaaa", Voice("nl", pitch=99))
    assert _num_crossings(high) > _num_crossings(low)


def _num_crossings(waveform: np.ndarray) -> float:
    return float(np.mean(np.diff(np.sign(waveform)) != 0))


def test_every_speaker_has_a_voice_of_its_own() -> None:
    speech = {speak("Hallo", Voice(f"nl{variant}"))[0].tobytes() for variant, _, _ in VARIANTS}
    assert len(speech) == len(VARIANTS)


def test_silence_is_said_for_an_empty_sentence() -> None:
    waveform, _ = speak("", Voice("nl"))
    assert not waveform.any()


def test_words_have_the_places_and_the_order_of_the_text() -> None:
    words = time_words(SENTENCE, Voice("nl"))
    assert [SENTENCE[word.position :].split()[0] for word in words] == SENTENCE.split()
    marks_s = [mark_s for word in words for mark_s in (word.start_s, word.end_s)]
    waveform, rate_hz = speak(SENTENCE, Voice("nl"))
    assert marks_s == sorted(marks_s) and 0 <= marks_s[0] and marks_s[-1] <= len(waveform) / rate_hz


def test_letters_beyond_ascii_count_as_one_position() -> None:
    assert [word.position for word in time_words("Één café, fijn.", Voice("nl"))] == [0, 4, 10]


@pytest.mark.parametrize("variant", [variant for variant, _, _ in VARIANTS])
def test_words_end_where_a_pause_begins_and_begin_where_it_ends(variant: str) -> None:
    text, voice = "Morgen komt Anna, dan zien we Bob.", Voice(f"nl{variant}")
    waveform, rate_hz = speak(text, voice)
    words = time_words(text, voice)
    pause = waveform[round(words[2].end_s * rate_hz) : round(words[3].start_s * rate_hz)]
    assert len(pause) > 0.1 * rate_hz
    assert pause[rate_hz // 20 :].std() < 0.1 * waveform.std()  # the last sound dies away; some voices have an echo
    loud = np.flatnonzero(np.abs(waveform) > 0.05 * np.abs(waveform).max()) / rate_hz
    assert loud[loud > words[3].start_s][0] == pytest.approx(words[3].start_s, abs=0.08)  # d begins with a closure
    assert loud[-1] == pytest.approx(words[-1].end_s, abs=0.08)


def test_nothing_said_has_no_words() -> None:
    assert time_words("", Voice("nl")) == []


def test_unknown_language_is_the_users_mistake() -> None:
    with pytest.raises(SpnerError, match='voice "xx": eSpeak NG has no such language'):
        speak("Hallo", Voice("xx"))


@pytest.mark.parametrize("wrong", [{"rate_wpm": 20}, {"pitch": 100}])
def test_a_voice_cannot_be_built_wrong(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="rate_wpm is 80 to 450, pitch 0 to 99"):
        Voice("nl", **wrong)


def test_data_may_lie_at_the_end_of_a_long_path_with_blanks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / ("länger " * 12) / ("x" * 150)
    folder.mkdir(parents=True)
    expected, _ = speak("Hallo", Voice("nl"))
    data = folder / "espeak-ng-data"
    data.symlink_to(espeakng_loader.get_data_path())
    monkeypatch.setattr(espeakng_loader, "get_data_path", lambda: str(data))
    waveform, _ = speak("Hallo", Voice("nl"))
    np.testing.assert_array_equal(waveform, expected)
