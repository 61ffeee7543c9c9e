"""Hand-made experiments: what ``spner score`` writes, small enough to know by heart."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spner.core.files import write_json
from spner.core.paths import utterances_file

UTTERANCES = [
    {
        "utt_id": "u1",
        "ref": {"words": ["angela", "merkel", "reist"], "entities": [{"label": "PER", "start": 0, "end": 2}]},
        "hyp": {"words": ["angela", "merkle", "reist"], "entities": [{"label": "PER", "start": 0, "end": 2}]},
        "errors": [{"kind": "misspelt", "ref": 0, "hyp": 0}],
    },
    {
        "utt_id": "u2",
        "ref": {"words": ["naar", "utrecht"], "entities": [{"label": "LOC", "start": 1, "end": 2}]},
        "hyp": {"words": ["naar", "utrecht"], "entities": [{"label": "LOC", "start": 1, "end": 2}]},
        "errors": [{"kind": "correct", "ref": 0, "hyp": 0}],
    },
    {
        "utt_id": "u3",
        "ref": {"words": ["philips", "in", "best"], "entities": [{"label": "LOC", "start": 2, "end": 3}]},
        "hyp": {"words": ["philips", "best", "dan"], "entities": [{"label": "ORG", "start": 0, "end": 1}]},
        "errors": [{"kind": "missed", "ref": 0, "hyp": None}, {"kind": "spurious", "ref": None, "hyp": 0}],
    },
]


def make_scores(*, f1: float = 0.5, wer: float = 0.25, gold: bool = True) -> dict[str, Any]:
    """Return scores of the whole form; only what is drawn has a meaning."""
    prf = {"precision": 0.6, "recall": 0.4, "f1": f1, "tp": 2, "fp": 1, "fn": 3}
    matched = {"micro": prf, "macro_f1": f1, "labels": {"PER": prf, "LOC": prf | {"f1": 1.0}}}
    rate = {"rate": wer, "sub": 1, "del": 1, "ins": 1, "num_ref": 8}
    return {
        "schema": 1,
        "signature": "spner|v:0.1.0|refs:gold" if gold else "spner|v:0.1.0|refs:pseudo",
        "num_utts": 3,
        "gold": gold,
        "wer": rate,
        "cer": rate,
        "wer_tagged": rate,
        "entity_wer": rate,
        "f1": matched,
        "label_f1": matched,
        "f1_span": matched,
        "f1_span_text": matched,
        "f1_aligned": matched,
        "seen": None,
        "unseen": None,
        "eer": {"rate": None, "errors": 0, "num_entities": 0},
        "eer_substr": {"rate": None},
        "errors": {"correct": 1, "wrong_label": 0, "wrong_boundary": 0, "misspelt": 1, "missed": 1, "spurious": 1},
        "confusion": {"PER": {"PER": 1}, "LOC": {"LOC": 1, "O": 1}, "O": {"ORG": 1}},
        "illegal_symbols": {"ref": {}, "hyp": {}},
        "ci95": {"wer": [0.125, 0.375], "f1": [0.45, 0.55], "f1.PER": None},
        "made_with": {
            "commit": "0123abc",
            "versions": {"python": "3.11.7"},
            "ref": "data/test",
            "lang": "nl",
            "labels": ["PER", "LOC"],
            "seen": None,
            "drop_empty_hyp": False,
        },
    }


@pytest.fixture
def write_scored(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a scores file and its utterances."""

    def write(name: str, scores: dict[str, Any], utterances: list[dict[str, Any]] | None = UTTERANCES) -> Path:
        write_json(tmp_path / name, scores)
        if utterances is not None:
            lines = [json.dumps(utterance) + "\n" for utterance in utterances]
            utterances_file(tmp_path / name).write_text("".join(lines))
        return tmp_path / name

    return write
