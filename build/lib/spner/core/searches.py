"""Searches: what each is called, which of them an experiment holds, and how they say what they did.

Each search has folders of its own in an experiment, ``decode/<search>/<set>`` and ``score/<search>/<set>.json``::

    greedy               greedy search
    lm                   conf/decode_lm.yaml with the experiment's own language model
    lexicon              conf/decode_lexicon.yaml with its own
    lm_boost_names       the first, and the list names.txt
    lm_with_big          the first, with another language model: big/ or big.arpa
    lm_no_lm             the first, without a language model

A set's ``decode.json`` says under ``decoded`` what was searched with, so that every table can repeat it::

    {"search": "lm_boost_names", "kind": "open", "config": "decode_lm.yaml", "beam_size": 10, "lm": "exp/mini_e2e/lm",
     "lm_weight": 3.0, "word_score": 0.0, "tuned": true, "names": {"file": "names.txt", "num": 12},
     "audio": "data/mini/test", "num_utts": 150}

Greedy search has ``search``, ``kind``, ``audio`` and ``num_utts`` alone; a pipeline adds its ``tagger``.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spner.core.errors import SpnerError, nearest
from spner.core.files import read_json
from spner.core.paths import DECODE, DECODE_RECORD, SCORE, STAGE_5

GREEDY = "greedy"
LM = "lm"
PREFIX = "decode_"  # of configurations


def name_search(config: str | Path | None, *, lm: Path | None, boost: Path | None, model: Path) -> str:
    """Return what a search is called.

    Args:
        config: decode configuration; None searches greedily.
        lm: language model: folder or file.
        boost: list of names.
        model: experiment folder of the recogniser.
    """
    if config is None:
        return GREEDY
    stem = Path(config).stem
    kind = stem.removeprefix(PREFIX)
    parts = [stem if kind in ("", GREEDY) else kind]
    if lm is None:
        parts.append("no_lm")
    elif Path(os.path.abspath(lm)) != Path(os.path.abspath(own_lm(model, config))):
        parts.append(f"with_{_name_lm(lm)}")
    if boost:
        parts.append(f"boost_{boost.stem}")
    return re.sub(r"[^\w.-]+", "_", "_".join(parts))


def own_lm(model: Path, config: str | Path) -> Path:
    """Return the folder of the language model that a recipe makes for a search: no two kinds of search share one."""
    kind = Path(config).stem.removeprefix(PREFIX)
    return model / (LM if kind == LM else f"{LM}_{kind}")


def _name_lm(lm: Path) -> str:
    path = Path(os.path.abspath(lm))
    name = path.name.split(".")[0]
    return f"{path.parent.name}_{name}" if name == LM else name


def find_searches(exp: Path, chosen: str | None = None) -> list[str]:
    """Return the searches that an experiment has hypotheses of, or the one that was chosen.

    Raises:
        SpnerError: there is none, or not the chosen one.
    """
    found = sorted({path.parent.parent.name for path in (exp / DECODE).glob(f"*/*/{DECODE_RECORD}")})
    if not found:
        raise SpnerError(f"{exp}: holds no finished hypotheses; {STAGE_5} makes them")
    if chosen is None:
        return found
    if chosen not in found:
        raise SpnerError(
            f"--search {chosen}: {exp} holds no hypotheses of it (found {', '.join(found)}){nearest(chosen, found)}"
        )
    return [chosen]


def scored_searches(exp: Path) -> list[str]:
    """Return the searches that an experiment has scores of; none where there are none."""
    return sorted({path.parent.name for path in (exp / SCORE).glob("*/*.json")})


def read_decoded(hyps: Path) -> dict[str, Any] | None:
    """Return what was searched with, for hypotheses in a folder of ours or a file in one; None elsewhere."""
    record = (hyps if hyps.is_dir() else hyps.parent) / DECODE_RECORD
    found = read_json(record) if record.is_file() else None
    decoded = found.get("decoded") if isinstance(found, dict) else None
    return decoded if isinstance(decoded, dict) else None


def format_decoded(decoded: Mapping[str, Any] | None) -> str:
    """Return how hypotheses were decoded, in a line."""
    if decoded is None:
        return "not recorded"
    tagged = f", tagged by {decoded['tagger']}" if "tagger" in decoded else ""
    if decoded["kind"] == GREEDY:
        return f"greedy search{tagged}"
    model = "no language model"
    if decoded["lm"]:
        tuned = "tuned on dev" if decoded["tuned"] else "not tuned"
        model = f"language model {decoded['lm']}, lm_weight {decoded['lm_weight']:g}"
        model += f", word_score {decoded['word_score']:g}" if decoded["kind"] != "open" else ""
        model += f" ({tuned})"
    names = decoded["names"]
    boosted = f", list of names {names['file']} ({names['num']} names)" if names else ""
    return f"{decoded['kind']} beam search of {decoded['beam_size']} ({decoded['config']}), {model}{boosted}{tagged}"
