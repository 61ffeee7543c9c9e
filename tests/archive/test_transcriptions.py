"""Transcripts exactly as clients of OpenAI's interface read them; those with types want every field of theirs."""

import json

import pytest

from spner.archive.transcriptions import respond
from spner.tag.tagged import Tagged
from tests.archive.talks import talk

TALK = talk("<PER> Ada </NE> kent <LOC> Gent </NE>", "een tweede")


def test_json_and_text() -> None:
    assert respond(TALK, "json") == ('{"text": "Ada kent Gent een tweede"}', "application/json")
    assert respond(TALK, "text") == ("Ada kent Gent een tweede\n", "text/plain; charset=utf-8")


def test_subtitles_have_no_marks() -> None:
    assert respond(TALK, "srt") == (
        "1\n00:00:00,000 --> 00:00:01,500\nAda kent Gent\n\n2\n00:00:10,000 --> 00:00:11,000\neen tweede\n\n",
        "text/plain; charset=utf-8",
    )
    assert respond(TALK, "vtt") == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\nAda kent Gent\n\n00:00:10.000 --> 00:00:11.000\neen tweede\n\n",
        "text/vtt; charset=utf-8",
    )


def test_verbose_json() -> None:
    body, kind = respond(TALK, "verbose_json")
    record = json.loads(body)
    assert kind == "application/json"
    assert list(record) == ["task", "language", "duration", "text", "segments", "words", "entities"]
    assert (record["task"], record["language"], record["duration"]) == ("transcribe", "nl", 20.0)
    assert record["segments"][1] == {
        "id": 1,
        "start": 10.0,
        "end": 11.0,
        "text": "een tweede",
        "seek": 0,
        "tokens": [],
        "temperature": 0.0,
        "avg_logprob": pytest.approx(-0.1054),  # ln 0.9
        "compression_ratio": pytest.approx(10 / 18, abs=1e-4),
        "no_speech_prob": 0.0,
    }
    assert record["words"][3] == {"word": "een", "start": 10.0, "end": 10.5, "score": 0.9}
    gent = record["entities"][1]
    assert record["text"][gent["start_char"] : gent["end_char"]] == "Gent" and gent["segment"] == 0


def test_silence_has_no_segments() -> None:
    silence = Tagged("talk.wav", 3.0, ())
    record = json.loads(respond(silence, "verbose_json")[0])
    assert (record["language"], record["text"], record["segments"], record["words"]) == ("", "", [], [])
    assert respond(silence, "srt")[0] == "" and respond(silence, "vtt")[0] == "WEBVTT\n\n"
