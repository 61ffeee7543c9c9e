"""Transfer: a training starts from another one's weights, whose token list may be another language's.

The whole network is carried over as it is, except the CTC output layer, ``ctc.ctc_lo.weight`` (V, D) and
``ctc.ctc_lo.bias`` (V,), which has one row for each token. It is carried over row by row: a token that both lists have
keeps its row, above all the entity symbols; a new character starts from the row of its base letter if the source has it
(ë from e, ß from s, д from d), else from the mean of the source's characters. ``exp/<tag>/transfer.json`` records where
every token and parameter came from::

    {"init": "../cv_de/exp/mini_e2e", "weights": "<fingerprint>", "reinit_layers": 0, "reinit_output": false,
     "freeze_steps": 0,
     "tokens": [{"token": "<PER>", "row": "same token", "of": ["<PER>"]},
                {"token": "ë", "row": "base letter", "of": ["e"]},
                {"token": "'", "row": "mean of the characters", "of": ["e", "n", …]}],
     "left_out": ["ß"], "parameters": {"encoder.encoders.0.…": "loaded", "ctc.ctc_lo.bias": "row by row", …}}
"""

import logging
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from anyascii import anyascii
from torch import Tensor, nn

from spner.core.errors import SpnerError
from spner.data.tokens import BLANK, SOS_EOS, SPACE, UNKNOWN

log = logging.getLogger(__name__)

SAME, BASE, MEAN = ROWS = ("same token", "base letter", "mean of the characters")
LOADED, ROW_BY_ROW, FRESH = STATES = ("loaded", "row by row", "re-initialised")
OUTPUT_LAYER = ("ctc.ctc_lo.weight", "ctc.ctc_lo.bias")
LAYER = re.compile(r"(encoder\.encoders|frontend\.\S+\.encoder\.layers)\.(\d+)\.")
"""The layers of an ESPnet encoder, and those of a wav2vec 2.0 upstream."""
NO_SYMBOLS = (BLANK, UNKNOWN, SPACE, SOS_EOS)
SHOWN = 5  # what a line lists at most


@dataclass(frozen=True)
class Transfer:
    """The weights that a training starts from.

    Attributes:
        init: experiment folder of a finished training.
        reinit_layers: number of top encoder layers that start anew.
        reinit_output: the output layer starts anew.
        freeze_steps: number of first optimiser steps in which what was carried over is frozen, except the output layer.
    """

    init: Path
    reinit_layers: int = 0
    reinit_output: bool = False
    freeze_steps: int = 0

    def settings(self) -> dict[str, Any]:
        """Return it as YAML and JSON can hold it."""
        return asdict(self) | {"init": str(self.init)}


def make_transfer(init: Path | None, reinit_layers: int, reinit_output: bool, freeze_steps: int) -> Transfer | None:
    """Return what the command line asks for; None for a training from scratch.

    Raises:
        SpnerError: it says what to take over, but not from where.
    """
    if init:
        return Transfer(init, reinit_layers, reinit_output, freeze_steps)
    if reinit_layers or reinit_output or freeze_steps:
        raise SpnerError("--reinit_layers, --reinit_output, --freeze_steps: need --init; give --init as well")
    return None


@dataclass(frozen=True)
class Row:
    """Where one token's row of the output layer comes from: the mean of the rows of these tokens of the source."""

    token: str
    row: str
    of: tuple[str, ...]


def map_tokens(source: Sequence[str], target: Sequence[str]) -> list[Row]:
    """Return for each token of ``target`` the tokens of ``source`` whose row, or mean of rows, it starts from.

    Raises:
        SpnerError: the source has no character (or piece) at all.
    """
    known = set(source)
    characters = tuple(token for token in source if not token.startswith("<"))
    if not characters:
        raise SpnerError("the token list to start from holds no character, only symbols; give another --init")
    rows = []
    for token in target:
        base = next((form for form in _base_forms(token) if form in known), None)
        if token in known:
            rows.append(Row(token, SAME, (token,)))
        else:
            rows.append(Row(token, BASE, (base,)) if base else Row(token, MEAN, characters))
    return rows


def _base_forms(token: str) -> Iterator[str]:
    """Yield tokens that a new token may start from, the nearest first: ǖ, ü, u; ß, s; ĳ, i; ▁één, ▁een."""
    if token.startswith("<"):
        return
    decomposed = unicodedata.normalize("NFD", token)
    if len(unicodedata.normalize("NFC", token)) > 1:
        yield "".join(char for char in decomposed if not unicodedata.combining(char))
        return
    for length in range(len(decomposed) - 1, 0, -1):
        yield unicodedata.normalize("NFC", decomposed[:length])
    yield anyascii(decomposed).lower()[:1]


def refuse_other_kind(source: Mapping[str, Any], *, token_type: str, init: Path) -> None:
    """Refuse a source whose rows mean something else.

    Args:
        source: ESPnet's configuration of the source.
        token_type: of the target.
        init: where the source is.

    Raises:
        SpnerError: the source's tokens are of another type, or it has a decoder, whose rows cannot be mapped.
    """
    if source["token_type"] != token_type:
        raise SpnerError(
            f"--init {init}: its tokens are {source['token_type']} and those of this training are "
            f"{token_type} (expected one type: no row of the output layer would fit); "
            f"give --token_type {source['token_type']}, or another --init"
        )
    if source.get("decoder"):
        raise SpnerError(
            f"--init {init}: has a decoder ({source['decoder']}), whose tokens cannot be carried over "
            "(expected CTC alone); give another --init"
        )


def find_top_layers(names: Iterable[str], num_layers: int) -> list[str]:
    """Return the prefixes of the top layers' parameters; of an encoder on an upstream, the encoder's.

    Raises:
        SpnerError: there are not so many.
    """
    numbers: dict[str, set[int]] = {}
    for name in names:
        if match := LAYER.match(name):
            numbers.setdefault(match[1], set()).add(int(match[2]))
    stack = min(numbers, default="")  # "encoder…" comes before "frontend…"
    layers = sorted(numbers.get(stack, ()), reverse=True)
    if num_layers > len(layers):
        raise SpnerError(f"--reinit_layers {num_layers}: the encoder has {len(layers)} layers; give fewer")
    return [f"{stack}.{number}." for number in layers[:num_layers]]


def carry_over(
    fresh: Mapping[str, Tensor],
    source: Mapping[str, Tensor],
    rows: Sequence[Row],
    source_tokens: Sequence[str],
    *,
    top: Collection[str] = (),
    init: Path = Path(),
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the first weights, and for each parameter whether it is loaded, mapped or fresh.

    Args:
        fresh: the network's random weights.
        source: the weights to carry over.
        rows: where each row of the output layer, (V, D) and (V,), comes from.
        source_tokens: tokens of the source's rows.
        top: prefixes of the parameters that stay fresh.
        init: where the source is, for the message.

    Raises:
        SpnerError: a parameter is not in the source, or has another shape there, or is only there.
    """
    place = {token: index for index, token in enumerate(source_tokens)}
    weights, states, misfits = {}, {}, []
    kept = {name for name in fresh if name.startswith(tuple(top))} if top else set()
    for name, parameter in fresh.items():
        if name in kept:
            weights[name], states[name] = parameter, FRESH
        elif name not in source:
            misfits.append(f"{name} is not there")
        elif name in OUTPUT_LAYER and source[name].shape[1:] == parameter.shape[1:]:
            weights[name] = torch.stack([source[name][[place[t] for t in row.of]].mean(0) for row in rows])
            states[name] = ROW_BY_ROW
        elif source[name].shape != parameter.shape:
            misfits.append(f"{name} is {tuple(source[name].shape)} there and {tuple(parameter.shape)} here")
        else:
            weights[name], states[name] = source[name], LOADED
    misfits += [f"{name} is only there" for name in source if name not in fresh]
    if misfits:
        raise SpnerError(
            f"--init {init}: its network is another one: {_shorten(misfits, '; ')} (expected the same "
            "architecture); give its --train_config, or another --init"
        )
    return weights, states


def format_report(report: Mapping[str, Any]) -> list[str]:
    """Return the report's lines for the log."""
    rows = {kind: [row for row in report["tokens"] if row["row"] == kind] for kind in ROWS}
    symbols = [row["token"] for row in rows[SAME] if row["token"].startswith("<") and row["token"] not in NO_SYMBOLS]
    states = Counter(report["parameters"].values())
    lines = [
        f"parameters from {report['init']}: " + ", ".join(f"{states[s]} {s}" for s in STATES if states[s]),
        f"rows of the same token: {len(rows[SAME])}, entity symbols among them: {' '.join(symbols) or 'none'}",
        "rows of the base letter: " + _listed(f"{row['token']} from {row['of'][0]}" for row in rows[BASE]),
        "rows of the mean of the characters: " + _listed(row["token"] for row in rows[MEAN]),
        "tokens of the source that are left out: " + _listed(report["left_out"]),
    ]
    if report["freeze_steps"]:
        lines.append(f"for {report['freeze_steps']} steps only the output layer and re-initialised layers learn")
    return lines


def freeze_for_steps(optimizer: torch.optim.Optimizer, parameters: Iterable[nn.Parameter], num_steps: int) -> None:
    """Freeze the parameters for the first optimiser steps; the optimiser's saved state tells how many are left.

    Parameters that are already frozen stay frozen.
    """
    frozen = [parameter for parameter in parameters if parameter.requires_grad]
    optimizer.param_groups[0]["frozen_steps"] = num_steps

    def update(*_: Any) -> None:
        for parameter in frozen:
            parameter.requires_grad_(not optimizer.param_groups[0]["frozen_steps"])

    def count(*_: Any) -> None:
        group = optimizer.param_groups[0]
        if group["frozen_steps"]:
            group["frozen_steps"] -= 1
            if not group["frozen_steps"]:
                update()
                log.info("all parameters train from here on")

    optimizer.register_step_post_hook(count)
    optimizer.register_load_state_dict_post_hook(update)
    update()


def find_carried_over(model: nn.Module, reinit_layers: int) -> list[nn.Parameter]:
    """Return the parameters that ``freeze_steps`` freezes: all except the output layer and re-initialised layers."""
    named = list(model.named_parameters())
    fresh = ("ctc.", *find_top_layers((name for name, _ in named), reinit_layers))
    return [parameter for name, parameter in named if not name.startswith(fresh)]


def _listed(items: Iterable[str]) -> str:
    return _shorten(list(items), ", ", shown=40) or "none"


def _shorten(items: Sequence[str], separator: str, *, shown: int = SHOWN) -> str:
    more = f"{separator}and {len(items) - shown} more" if len(items) > shown else ""
    return separator.join(items[:shown]) + more
