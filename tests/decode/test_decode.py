"""Posteriors of a batch -> each utterance's hypothesis, times and confidences, with a recogniser made by hand."""

from types import SimpleNamespace

import pytest

pytest.importorskip("torch")

from spner.core.datatypes import Entity, FrameGrid, Transcript  # noqa: E402
from spner.decode.hypotheses import Hypotheses  # noqa: E402
from spner.decode.posteriors import Posteriors  # noqa: E402
from spner.decode.transcribe import decode  # noqa: E402
from tests.decode.models import TOKENS, hear, to_tokens  # noqa: E402

RECOGNISER = SimpleNamespace(token_list=TOKENS, grid=FrameGrid(hop_s=0.1, first_s=0.05))
TEXTS = {"long": "naar <LOC> gouda </NE>", "short": "eet"}


def batch(*utt_ids: str) -> Posteriors:
    """Return posteriors of texts, heard clearly."""
    heard = [hear(*to_tokens(TEXTS[utt_id])) for utt_id in utt_ids]
    return Posteriors(list(utt_ids), [0.1 * (len(one) - 1) for one in heard], heard)


def decode_greedily(*batches: Posteriors) -> Hypotheses:
    return decode(RECOGNISER, batches, None, what="dev")


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
    posteriors = batch("short")
    search = SimpleNamespace(
        search=lambda batches, what: [
            (SimpleNamespace(utt_id="short", duration_s=0.6), posteriors.log_probs[0][:3], hyps)
            for hyps in [[SimpleNamespace(token_ids=tuple(map(TOKENS.index, "wijreist")), scores={})]]
        ]
    )
    hyps = decode(RECOGNISER, [posteriors], search, what="dev")
    assert hyps.texts == {"short": "wijreist"} and hyps.timings == {}
    assert "dev: 1 of 1 hypotheses need more frames than their clips have" in caplog.text
