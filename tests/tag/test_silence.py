"""Silence is shortened before the model and blank behind it; sounds stay where they are."""

import numpy as np
import pytest

from spner.tag.silence import MARGIN_S, hear
from tests.tag.models import HOP, RATE_HZ, Listener, make_tagger, pause, speak

MARGIN = round(MARGIN_S * RATE_HZ / HOP)


def test_the_inside_of_a_silence_is_not_heard() -> None:
    sound = np.random.default_rng(0).normal(size=10 * HOP).astype(np.float32)
    waveform = np.concatenate([pause(2.0), sound, pause(4.0), sound, pause(1.0)])
    heard = hear(waveform, HOP, rate_hz=RATE_HZ)
    assert len(heard.waveform) == (20 + 4 * MARGIN) * HOP
    frames = heard.spread(np.log(np.full((len(heard.places), 3), 1 / 3, np.float32)))
    assert frames.shape == (len(waveform) // HOP, 3)
    assert np.flatnonzero(frames[:, 1] > -10).tolist() == heard.places.tolist()
    assert heard.places[MARGIN] == 50  # two seconds


def test_frames_that_a_model_does_not_give_are_missing_at_the_end() -> None:
    heard = hear(np.ones(10 * HOP, np.float32) * np.tile([0.1, -0.1], 5 * HOP).astype(np.float32), HOP, rate_hz=RATE_HZ)
    assert heard.spread(np.zeros((8, 3), np.float32)).shape == (8, 3)


def test_quiet_noise_is_no_silence() -> None:
    noise = 0.002 * np.random.default_rng(0).normal(size=50 * HOP).astype(np.float32)
    assert hear(noise, HOP, rate_hz=RATE_HZ).waveform.tolist() == noise.tolist()


@pytest.mark.parametrize("seconds", [0.01, 0.05, 1.0])
def test_silence_alone_is_not_heard(seconds: float) -> None:
    listener = Listener()
    make_tagger(listener).tag(pause(seconds), RATE_HZ)
    assert sum(map(len, listener.batches)) == (seconds < HOP / RATE_HZ)  # what is no block is heard


def test_words_keep_their_times_behind_silences() -> None:
    listener = Listener()
    recording = np.concatenate([pause(30.0), speak("ada "), pause(40.0), speak("bob")])
    tagged = make_tagger(listener).tag(recording, RATE_HZ)
    assert [word.text for word in tagged.words] == ["ada", "bob"]
    assert [round(word.start_s, 1) for word in tagged.words] == [30.0, round(70.0 + len(speak("ada ")) / RATE_HZ, 1)]
    assert sum(map(sum, listener.batches)) < 5 * RATE_HZ
