"""Results of a comparison with made-up numbers, in the form of ``results.json``."""

from dataclasses import asdict
from typing import Any

from spner.benchmark.plan import CASED, E2E, NEW_OUTPUT, PIPELINE, TRANSFER, ZERO_SHOT, Group
from spner.benchmark.preset import Preset
from spner.benchmark.results import ABLATION, BY_FRACTION, BY_LANGUAGE, BY_TAGGER, OVER_PIPELINE

PRESET = Preset(
    "quick", "mini", "--num_train 900", "", "train_mini.yaml", "", {20: 3, 100: 2}, (), {}, (1, 2, 3), (1,), 2, 1, None
)


def entry(group: Group, f1: float, *seeds: int) -> dict[str, Any]:
    """Return a group whose scores all follow from its F1."""
    values = {"wer": 1 - f1, "cer": (1 - f1) / 4, "eer": 1 - f1, "f1": f1, "label_f1": f1, "unseen": None}
    scores = {
        name: {"value": value, "ci95": value and [value - 0.1, value + 0.1], "seeds": [value] * len(seeds)}
        for name, value in values.items()
    }
    size = {"utterances": 9 * group.fraction, "hours": group.fraction / 100}
    return {
        "group": asdict(group),
        "seeds": list(seeds),
        "signature": f"spner|norm:{group.lang}",
        "num_utts": 150,
        "gold": group.lang == "nl",
        "scores": scores,
        "trained_on": [{"data": "data/mini", "chosen": size, "whole": size}],
    }


def contrast(kind: str, a: Group, b: Group, difference: float, p: float | None, *seeds: int) -> dict[str, Any]:
    """Return a contrast; errors fall as F1 rises."""
    row = {
        "a": 0.5,
        "b": 0.5 + difference,
        "difference": difference,
        "ci95": [difference - 0.05, difference + 0.05],
        "p": p,
    }
    errors = row | {"difference": -difference, "ci95": [-difference - 0.05, -difference + 0.05]}
    scores = {"f1": row, "label_f1": row, "wer": errors, "eer": errors}
    return {"kind": kind, "a": asdict(a), "b": asdict(b), "seeds": list(seeds), "scores": scores}


def make_results() -> dict[str, Any]:
    """Return Dutch as the target with German as its source."""
    pipeline, e2e, fifth = Group("nl", PIPELINE), Group("nl", E2E), Group("nl", E2E, "", 20)
    whole, part, new = (Group("nl", TRANSFER, "de"), Group("nl", TRANSFER, "de", 20), Group("nl", NEW_OUTPUT, "de", 20))
    gain = contrast(BY_FRACTION, fifth, part, 0.2, 0.01, 1, 2, 3)
    shares = {"mentions": {"share": 0.25, "shared": 1, "num": 4}, "entities": {"share": None, "shared": 0, "num": 0}}
    return {
        "target": "nl",
        "sources": ["de"],
        "groups": [
            entry(Group("de", E2E), 0.75, 1),
            entry(pipeline, 0.8, 1, 2, 3),
            entry(Group("nl", CASED), 0.2, 1, 2, 3),
            entry(e2e, 0.7, 1, 2, 3),
            entry(fifth, 0.3, 1, 2, 3),
            entry(whole, 0.75, 1, 2, 3),
            entry(part, 0.5, 1, 2, 3),
            entry(Group("nl", ZERO_SHOT, "de", 0), 0.1, 1),
        ],
        "contrasts": [
            contrast(BY_LANGUAGE, pipeline, e2e, -0.1, 0.02, 1, 2, 3),
            contrast(BY_TAGGER, Group("nl", CASED), pipeline, 0.6, 0.002, 1, 2, 3),
            gain,
            contrast(BY_FRACTION, e2e, whole, 0.05, 0.3, 1, 2, 3),
            contrast(OVER_PIPELINE, pipeline, whole, -0.05, None, 1),
            contrast(ABLATION, new, part, 0.1, 0.049, 1, 2),
        ],
        "missing": [
            {
                "kind": BY_LANGUAGE,
                "a": asdict(Group("de", PIPELINE)),
                "b": asdict(Group("de", E2E)),
                "why": "no scores of de pipeline",
            }
        ],
        "overlaps": {
            "gold": False,
            "targets": [
                {
                    "target": "nl",
                    "sources": [
                        {
                            "source": ["de"],
                            "all": {"target": shares, "source": shares},
                            "labels": {},
                            "shared": [],
                            "unshared": [],
                        }
                    ],
                }
            ],
        },
        "paper": [
            {
                "against": E2E,
                "paper_percent": 7,
                "group": asdict(whole),
                "points": 5.0,
                "ci95": [-1.0, 11.0],
                "p": 0.3,
                "relative_percent": 7.142,
                "seeds": [1, 2, 3],
            }
        ],
        "best": {"fraction": 20} | gain["scores"]["f1"],
        "made_with": {
            "commits": ["abc1234"],
            "versions": [{"espnet": "1.2", "torch": "2.11"}],
            "synthetic": True,
            "corpora": {"nl": "mini", "de": "mini"},
            "taggers": {"nl": ["exp/tagger", "exp/tagger_speech"]},
        },
        "preset": {
            "name": "quick",
            "epochs": [[20, 3], [100, 2]],
            "mini_opts": "--num_train 900",
            "recipe_opts": "",
            "train_config": "train_mini.yaml",
            "train_opts": "",
            "upstreams": [],
        },
    }
