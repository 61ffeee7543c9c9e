"""The clips of the mini corpus: spoken sentences as MP3, with pauses, level and noise."""

import hashlib
import io
import random
from dataclasses import dataclass

import numpy as np
import soundfile
import soxr

from spner.mini.espeak import Voice, speak
from spner.mini.rows import CORRUPT, SILENT, Row

VARIANTS = (
    ("", 50, "male"),
    ("+f4", 55, "female"),
    ("+m3", 40, "male"),
    ("+f1", 60, "female"),
    ("+m7", 45, "male"),
    ("+Annie", 45, "female"),
    ("+m1", 60, "male"),
    ("+linda", 50, "female"),
    ("+m5", 30, "male"),
    ("+steph", 50, "female"),
    ("+m2", 55, "male"),
    ("+belinda", 50, "female"),
)
"""eSpeak NG's voice variants with a pitch (0 to 99) and gender each; a corpus takes the first ones as speakers.

None has breath noise (f2, f3, f5): it comes out different each time.
"""

RATES_HZ = (32_000, 48_000)  # Common Voice's: releases since 2022, releases before
PAUSE_S = (0.1, 0.3)
PEAK_DB = (-9.0, -3.0)
RATE_JITTER_WPM = 4
SILENT_STD = 1e-4  # a tenth of what counts as silent
NUM_CORRUPT_BYTES = 400


@dataclass(frozen=True)
class Sound:
    """Settings that decide how difficult the clips are to recognise.

    Attributes:
        num_speakers: 1 to 12; every set has all of them.
        rate_wpm: the slowest and the fastest speaker, words a minute.
        snr_db: speech over white noise of the noisiest and the cleanest clip, dB.
    """

    num_speakers: int = 8
    rate_wpm: tuple[int, int] = (125, 155)
    snr_db: tuple[float, float] = (25.0, 40.0)


DEFAULT_SOUND = Sound()


@dataclass(frozen=True)
class Speaker:
    """A voice of the corpus and its columns in the tables."""

    client_id: str
    voice: Voice
    gender: str


@dataclass(frozen=True)
class Clip:
    """Everything that decides one clip.

    Attributes:
        text: words to speak.
        voice: speaker.
        snr_db: speech over noise, dB.
        peak_db: the speech's peak, dB of full scale.
        pauses_s: silence before and after, seconds.
        rate_hz: of the MP3.
        noise_seed: random seed of the noise.
        defect: ``silent_clip``, ``corrupt_clip``, or one that does not affect the sound.
    """

    text: str
    voice: Voice
    snr_db: float
    peak_db: float
    pauses_s: tuple[float, float]
    rate_hz: int
    noise_seed: int
    defect: str


def make_speakers(sound: Sound, *, espeak: str, seed: int) -> list[Speaker]:
    """Return the speakers of a language; ``client_id`` is 128 hexadecimal digits, as in Common Voice."""
    rng = random.Random(f"speakers {espeak} {seed}")
    speakers = []
    for variant, pitch, gender in VARIANTS[: sound.num_speakers]:
        client_id = hashlib.sha512(f"{espeak}{variant} {seed}".encode()).hexdigest()
        speakers.append(Speaker(client_id, Voice(espeak + variant, rng.randint(*sound.rate_wpm), pitch), gender))
    return speakers


def plan_clip(row: Row, voice: Voice, sound: Sound, rng: random.Random) -> Clip:
    """Return the settings of a row's clip: speed, noise, level, pauses and rate vary from clip to clip."""
    rate_wpm = voice.rate_wpm + rng.randint(-RATE_JITTER_WPM, RATE_JITTER_WPM)
    return Clip(
        text=row.spoken,
        voice=Voice(voice.name, rate_wpm, voice.pitch),
        snr_db=rng.uniform(*sound.snr_db),
        peak_db=rng.uniform(*PEAK_DB),
        pauses_s=(rng.uniform(*PAUSE_S), rng.uniform(*PAUSE_S)),
        rate_hz=rng.choice(RATES_HZ),
        noise_seed=rng.getrandbits(32),
        defect=row.defect,
    )


def make_clip(clip: Clip) -> bytes:
    """Return the clip as an MP3 file; the same clip gives the same bytes."""
    rng = np.random.default_rng(clip.noise_seed)
    if clip.defect == CORRUPT:
        return rng.integers(0, 128, NUM_CORRUPT_BYTES, dtype=np.uint8).tobytes()  # an MP3 frame begins with 255
    waveform, rate_hz = speak(clip.text, clip.voice)
    waveform = soxr.resample(waveform, rate_hz, clip.rate_hz)
    waveform *= 10 ** (clip.peak_db / 20) / np.abs(waveform).max()
    noise_std = float(waveform.std()) * 10 ** (-clip.snr_db / 20)
    before, after = (round(pause_s * clip.rate_hz) for pause_s in clip.pauses_s)
    waveform = np.pad(waveform, (before, after))
    if clip.defect == SILENT:
        waveform, noise_std = np.zeros_like(waveform), SILENT_STD
    waveform += noise_std * rng.standard_normal(len(waveform), dtype=np.float32)
    file = io.BytesIO()
    soundfile.write(file, waveform, clip.rate_hz, format="MP3", subtype="MPEG_LAYER_III")
    return file.getvalue()
