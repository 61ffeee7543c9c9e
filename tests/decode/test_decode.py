"""Posteriors of a batch -> each utterance's hypothesis, times and confidences, with a recogniser made by hand."""

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("torch")

from spner.core import paths  # noqa: E402
from spner.core.datatypes import Entity, FrameGrid, Transcript  # noqa: E402
from spner.core.parallel import AHEAD, Processes  # noqa: E402
from spner.decode.beam_search import Hypothesis  # noqa: E402
from spner.decode.hypotheses import Hypotheses  # noqa: E402
from spner.decode.parallel_search import UTTERANCES_AT_ONCE, BeamSearch, make_plan  # noqa: E402
from spner.decode.posteriors import Posteriors  # noqa: E402
from spner.decode.transcribe import decode  # noqa: E402
from spner.decode.utterance import read_hypotheses  # noqa: E402
from tests.decode.models import TOKENS, hear, make_config, to_tokens, write_token_lm  # noqa: E402

RECOGNISER = SimpleNamespace(token_list=TOKENS, grid=FrameGrid(hop_s=0.1, first_s=0.05))
TEXTS = {"long": "naar <LOC> gouda </NE>", "short": "eet"}


def batch(*utt_ids: str) -> Posteriors:
    """Return posteriors of texts, heard clearly."""
    heard = [hear(*to_tokens(TEXTS[utt_id])) for utt_id in utt_ids]
    return Posteriors(list(utt_ids), [0.1 * (len(one) - 1) for one in heard], heard)


def decode_greedily(*batches: Posteriors) -> Hypotheses:
    return decode(RECOGNISER, batches, None, num_utts=sum(len(one.utt_ids) for one in batches), what="dev")


def test_hypotheses_carry_words_entities_and_times() -> None:
    hyps = decode_greedily(batch("long", "short"))
    assert hyps.texts == TEXTS
    assert hyps.transcripts["long"] == Transcript(("naar", "gouda"), (Entity(1, 2, "LOC"),))
    assert hyps.nbest == {utt_id: [{"text": text}] for utt_id, text in TEXTS.items()}
    # Tokens stand in every second frame, from 0.05 s on: "naar" in frames 0 to 6, "gouda" in 12 to 20; the short clip
    # ends where its last word does.
    (naar, gouda), (eet,) = hyps.timings["long"].word_times, hyps.timings["short"].word_times
    assert naar == pytest.approx((0.0, 0.71)) and gouda == pytest.approx((1.19, 2.11))
    assert eet == pytest.approx((0.0, 0.5))
    assert hyps.timings["long"].word_confidences == pytest.approx((0.99, 0.99), abs=0.001)
    assert hyps.timings["long"].entity_confidences == pytest.approx((0.99,), abs=0.001)


def test_an_utterances_words_and_times_do_not_depend_on_its_batch() -> None:
    together, alone = decode_greedily(batch("long", "short")), decode_greedily(batch("short"), batch("long"))
    assert together.texts == alone.texts
    assert together.timings == alone.timings


def test_words_that_need_more_frames_than_there_are_carry_no_times(caplog: pytest.LogCaptureFixture) -> None:
    """A search may write them; none of the greedy one's does."""
    log_probs = batch("short").log_probs[0][:3]
    found = [Hypothesis(tuple(map(TOKENS.index, "wijreist")))]
    decoded = read_hypotheses(log_probs, found, TOKENS, grid=RECOGNISER.grid, duration_s=0.6)
    search = SimpleNamespace(decode=lambda *_, **__: [("short", decoded)])
    hyps = decode(RECOGNISER, [], search, num_utts=1, what="dev")
    assert hyps.texts == {"short": "wijreist"} and hyps.timings == {}
    assert "dev: 1 of 1 hypotheses need more frames than their clips have" in caplog.text


@pytest.fixture
def beam(tmp_path: Path) -> BeamSearch:
    """A search with a language model, three hypotheses of each utterance, in this process."""
    pytest.importorskip("flashlight.lib.text.decoder", reason="flashlight-text has no wheel for this Python")
    settings = {"token_list": list(TOKENS), "token_type": "char", "bpemodel": None}
    (tmp_path / paths.CONFIG).write_text(json.dumps(settings))  # which is YAML, too
    plan = make_plan(tmp_path, write_token_lm(tmp_path / "token.arpa"), make_config(), work=tmp_path)
    return BeamSearch(plan, 3, Processes(), tmp_path / "posteriors", {}, {})


def test_a_beam_search_in_processes_finds_what_it_finds_here(beam: BeamSearch) -> None:
    """The utterances are more than are searched at once, and their batches are of other sizes."""
    texts = ["long" if number % 3 else "short" for number in range(21)]
    heard = {f"u{number:02}": batch(text) for number, text in enumerate(texts)}

    def decode_with(num_workers: int, *sizes: int) -> Hypotheses:
        left = iter(heard)
        batches = []
        for size in sizes:
            utt_ids = list(islice(left, size))
            ones = [heard[utt_id] for utt_id in utt_ids]
            batches.append(Posteriors(utt_ids, [o.durations_s[0] for o in ones], [o.log_probs[0] for o in ones]))
        return decode(RECOGNISER, batches, replace(beam, workers=Processes(num_workers)), num_utts=21, what="dev")

    here, there = decode_with(1, 21), decode_with(2, 3, 13, 5)
    assert here == there and list(there.texts) == list(heard)
    assert list(there.texts.values()) == [TEXTS[text] for text in texts]
    for utt_id, timing in decode_greedily(batch("long", "short")).timings.items():  # which finds the same words here
        assert there.timings[f"u{texts.index(utt_id):02}"] == timing
    assert all(1 < len(several) <= 3 and several[0].keys() > {"text", "score"} for several in there.nbest.values())


@pytest.mark.parametrize("num_workers", [1, 2])
def test_a_batch_is_searched_before_all_are_computed(beam: BeamSearch, num_workers: int) -> None:
    num_batches = AHEAD * num_workers * 2
    computed = 0

    def compute() -> Iterator[Posteriors]:
        nonlocal computed
        for number in range(num_batches):
            computed += 1
            ones = batch(*["short"] * UTTERANCES_AT_ONCE)
            yield Posteriors([f"{number}_{i}" for i in range(UTTERANCES_AT_ONCE)], ones.durations_s, ones.log_probs)

    search = replace(beam, workers=Processes(num_workers))
    num_utts = num_batches * UTTERANCES_AT_ONCE
    found = search.decode(compute(), RECOGNISER.grid, num_utts=num_utts, what="")
    assert next(found)[0] == "0_0"
    assert computed == (1 if num_workers == 1 else AHEAD * num_workers)
    assert len(list(found)) == num_utts - 1 and computed == num_batches
