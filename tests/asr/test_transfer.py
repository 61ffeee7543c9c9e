"""Where the rows of another language's output layer come from, and what of a network is taken over."""

from pathlib import Path
from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch")

from spner.asr.transfer import (  # noqa: E402
    BASE,
    FRESH,
    LOADED,
    MEAN,
    OUTPUT_LAYER,
    ROW_BY_ROW,
    SAME,
    Row,
    carry_over,
    find_carried_over,
    find_top_layers,
    format_report,
    freeze_for_steps,
    map_tokens,
    refuse_other_kind,
)
from spner.core.datatypes import LABELS  # noqa: E402
from spner.core.errors import SpnerError  # noqa: E402
from spner.text.tags import entity_symbols  # noqa: E402

RESERVED = ["<blank>", "<unk>", *entity_symbols(LABELS)]
GERMAN = [*RESERVED, "<space>", "e", "n", "s", "i", "u", "ü", "ß", "<sos/eos>"]
LETTERS = tuple("ensiuüß")


def rows_of(source: list[str], target: list[str]) -> dict[str, tuple[str, tuple[str, ...]]]:
    rows = map_tokens(source, target)
    assert [row.token for row in rows] == target
    return {row.token: (row.row, row.of) for row in rows}


def test_the_same_list_keeps_every_row() -> None:
    assert rows_of(GERMAN, GERMAN) == {token: (SAME, (token,)) for token in GERMAN}


def test_tokens_keep_their_rows_in_another_order() -> None:
    target = ["<blank>", "s", "</NE>", "<LOC>", "<ORG>", "<PER>", "n", "<sos/eos>", "<space>", "<unk>"]
    assert rows_of(GERMAN, target) == {token: (SAME, (token,)) for token in target}


def test_tokens_that_only_the_source_has_are_no_matter() -> None:
    assert rows_of(GERMAN, [*RESERVED, "e"]) == {token: (SAME, (token,)) for token in [*RESERVED, "e"]}


@pytest.mark.parametrize("symbol", ["<PER>", "</NE>"])
def test_a_symbol_that_the_source_lacks_starts_from_the_mean(symbol: str) -> None:
    plain = [token for token in GERMAN if token != symbol]
    found = rows_of(plain, GERMAN)
    assert found.pop(symbol) == (MEAN, LETTERS)
    assert found == {token: (SAME, (token,)) for token in plain}


@pytest.mark.parametrize(
    ("token", "base"),
    [
        ("ë", "e"),
        ("ß", "s"),
        ("ĳ", "i"),
        ("ǖ", "ü"),  # the nearest form, not the u below it
        ("ǘ", "ü"),
        ("ṻ", "u"),  # its next form, ū, is not there
        ("ñ", "n"),
        ("ſ", "s"),
        ("е", "e"),  # Cyrillic
        ("e\u0301", "e"),  # not composed
    ],
)
def test_a_new_character_starts_from_its_base_letter(token: str, base: str) -> None:
    source = [other for other in GERMAN if other != token]
    assert rows_of(source, [token]) == {token: (BASE, (base,))}


@pytest.mark.parametrize("token", ["k", "k\u0301", "'", "ø", "字", "+"])
def test_a_new_character_without_a_base_letter_starts_from_the_mean(token: str) -> None:
    assert rows_of(GERMAN, [token]) == {token: (MEAN, LETTERS)}


def test_the_mean_is_of_characters_alone() -> None:
    assert rows_of([*RESERVED, "<space>", "e", "n", "<sos/eos>"], ["k"]) == {"k": (MEAN, ("e", "n"))}
    with pytest.raises(SpnerError, match="holds no character, only symbols; give another --init"):
        map_tokens(RESERVED, ["k"])


def test_pieces_start_from_the_piece_without_accents() -> None:
    source = [*RESERVED, "▁een", "▁de", "<sos/eos>"]
    assert rows_of(source, ["▁één", "▁de", "▁dé", "▁la"]) == {
        "▁één": (BASE, ("▁een",)),
        "▁de": (SAME, ("▁de",)),
        "▁dé": (BASE, ("▁de",)),
        "▁la": (MEAN, ("▁een", "▁de")),
    }


@pytest.mark.parametrize(("there", "here"), [("bpe", "char"), ("char", "bpe")])
def test_bpe_against_char_is_refused(there: str, here: str) -> None:
    with pytest.raises(SpnerError) as error:
        refuse_other_kind({"token_type": there, "decoder": None}, token_type=here, init=Path("../cv_de/exp/x"))
    assert str(error.value) == (
        f"--init ../cv_de/exp/x: its tokens are {there} and those of this training are {here} (expected one type: no "
        f"row of the output layer would fit); give --token_type {there}, or another --init"
    )


def test_a_decoder_is_refused() -> None:
    refuse_other_kind({"token_type": "char"}, token_type="char", init=Path("x"))
    with pytest.raises(SpnerError, match=r"--init x: has a decoder \(transformer\)"):
        refuse_other_kind({"token_type": "char", "decoder": "transformer"}, token_type="char", init=Path("x"))


# Weights


def network(num_tokens: int, *, layers: int = 3, width: int = 2, fill: float = 0.0) -> dict[str, "torch.Tensor"]:
    """Return the weights of a network with an output layer whose rows are 0, 1, 2, … times ``fill``, plus it."""
    names = [f"encoder.encoders.{layer}.w" for layer in range(layers)]
    rows = torch.arange(num_tokens).float()
    return {
        "frontend.w": torch.full((width,), fill),
        **{name: torch.full((width,), fill) for name in names},
        "ctc.ctc_lo.weight": fill * rows[:, None].repeat(1, width),
        "ctc.ctc_lo.bias": fill * rows,
    }


def test_rows_are_carried_over_as_mapped() -> None:
    source_tokens = ["<blank>", "a", "b", "c", "<sos/eos>"]
    of = {
        "<sos/eos>": ["<sos/eos>"],
        "b": ["b"],
        "á": ["a"],
        "x": ["a", "b", "c"],
        "<blank>": ["<blank>"],
        "y": ["a", "b"],
    }
    rows = [Row(token, SAME, tuple(tokens)) for token, tokens in of.items()]
    weights, states = carry_over(network(6), network(5, fill=10.0), rows, source_tokens)
    assert weights["ctc.ctc_lo.bias"].tolist() == [40, 20, 10, 20, 0, 15]
    assert weights["ctc.ctc_lo.weight"].tolist() == [[w, w] for w in (40, 20, 10, 20, 0, 15)]
    assert {name for name, state in states.items() if state == ROW_BY_ROW} == set(OUTPUT_LAYER)
    others = {name for name in states if name not in OUTPUT_LAYER}
    assert all(states[name] == LOADED and weights[name].tolist() == [10, 10] for name in others)
    assert list(weights) == list(network(6))


def test_the_top_layers_stay_fresh() -> None:
    rows = map_tokens(["a", "b"], ["a", "b"])
    top = find_top_layers(network(2), 2)
    weights, states = carry_over(network(2, fill=1.0), network(2, fill=9.0), rows, ["a", "b"], top=top)
    fresh = [name for name, state in states.items() if state == FRESH]
    assert fresh == ["encoder.encoders.1.w", "encoder.encoders.2.w"]
    assert all(weights[name].tolist() == [1, 1] for name in fresh)
    assert weights["encoder.encoders.0.w"].tolist() == weights["frontend.w"].tolist() == [9, 9]


def test_the_top_layers_are_numbers_not_text() -> None:
    upstream = "frontend.upstream.upstream.model.encoder.layers"
    names = [f"{upstream}.{n}.w" for n in range(12)]
    assert find_top_layers(names, 3) == [f"{upstream}.{n}." for n in (11, 10, 9)]
    assert find_top_layers([*names, "encoder.encoders.0.w"], 1) == ["encoder.encoders.0."]
    assert find_top_layers(names, 0) == []
    with pytest.raises(SpnerError, match="--reinit_layers 13: the encoder has 12 layers; give fewer"):
        find_top_layers(names, 13)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        pytest.param(network(2, layers=2), "encoder.encoders.2.w is not there", id="fewer layers"),
        pytest.param(network(2, layers=4), "encoder.encoders.3.w is only there", id="more layers"),
        pytest.param(
            network(2, width=3),
            "frontend.w is (3,) there and (2,) here; encoder.encoders.0.w is (3,) there and (2,) here; "
            "encoder.encoders.1.w is (3,) there and (2,) here; encoder.encoders.2.w is (3,) there and (2,) here; "
            "ctc.ctc_lo.weight is (2, 3) there and (2, 2) here",
            id="another width",
        ),
        pytest.param(
            network(2, layers=9),
            "; ".join(f"encoder.encoders.{n}.w is only there" for n in (3, 4, 5, 6, 7)) + "; and 1 more",
            id="many",
        ),
    ],
)
def test_another_architecture_is_refused_with_what_does_not_fit(source: dict, found: str) -> None:
    rows = map_tokens(["a", "b"], ["a", "b"])
    with pytest.raises(SpnerError) as error:
        carry_over(network(2), source, rows, ["a", "b"], init=Path("../cv_de/exp/x"))
    assert str(error.value) == (
        f"--init ../cv_de/exp/x: its network is another one: {found} (expected the same architecture); give its "
        "--train_config, or another --init"
    )


def test_the_report_tells_every_token() -> None:
    tokens = [vars(SimpleNamespace(token=r.token, row=r.row, of=r.of)) for r in map_tokens(GERMAN, ["<PER>", "ë", "k"])]
    report = {
        "init": "../cv_de/exp/x",
        "tokens": tokens,
        "left_out": ["ß"],
        "freeze_steps": 5,
        "parameters": {"a": LOADED, "b": LOADED, "c": FRESH, "ctc.ctc_lo.bias": ROW_BY_ROW},
    }
    assert format_report(report) == [
        "parameters from ../cv_de/exp/x: 2 loaded, 1 row by row, 1 re-initialised",
        "rows of the same token: 1, entity symbols among them: <PER>",
        "rows of the base letter: ë from e",
        "rows of the mean of the characters: k",
        "tokens of the source that are left out: ß",
        "for 5 steps only the output layer and re-initialised layers learn",
    ]


# Freezing


def small_model() -> "torch.nn.Module":
    torch.manual_seed(0)
    model = torch.nn.ModuleDict({"encoder": torch.nn.Linear(2, 2), "still": torch.nn.Linear(2, 2)})
    model["ctc"] = torch.nn.Linear(2, 1)
    model["still"].requires_grad_(False)
    return model


def step(model: "torch.nn.Module", optimizer: "torch.optim.Optimizer") -> set[str]:
    """Train one step and return the modules that it changed."""
    before = {name: parameter.clone() for name, parameter in model.named_parameters()}
    optimizer.zero_grad()
    model["ctc"](model["still"](model["encoder"](torch.ones(3, 2)))).sum().backward()
    optimizer.step()
    return {name.split(".")[0] for name, parameter in model.named_parameters() if not parameter.equal(before[name])}


def freeze(
    model: "torch.nn.Module", num_steps: int, optimizer_class: type = torch.optim.AdamW
) -> "torch.optim.Optimizer":
    optimizer = optimizer_class(model.parameters(), lr=0.1)
    freeze_for_steps(optimizer, find_carried_over(model, 0), num_steps)
    return optimizer


@pytest.mark.parametrize("optimizer_class", [torch.optim.AdamW, torch.optim.SGD])
def test_frozen_parameters_learn_after_so_many_steps_and_what_was_still_before_never(optimizer_class: type) -> None:
    model = small_model()
    optimizer = freeze(model, 2, optimizer_class)
    changed = [step(model, optimizer) for _ in range(4)]
    assert changed == [{"ctc"}, {"ctc"}, {"ctc", "encoder"}, {"ctc", "encoder"}]


def test_output_layer_and_fresh_layers_are_not_held_still() -> None:
    layers = torch.nn.ModuleList(torch.nn.Linear(1, 1, bias=False) for _ in range(3))
    model = torch.nn.ModuleDict({"encoder": torch.nn.ModuleDict({"encoders": layers}), "ctc": torch.nn.Linear(1, 1)})
    assert [id(p) for p in find_carried_over(model, 2)] == [id(layers[0].weight)]
    assert [id(p) for p in find_carried_over(model, 0)] == [id(layer.weight) for layer in layers]


@pytest.mark.parametrize("steps_before", [1, 2, 3])
def test_a_training_that_goes_on_knows_how_many_steps_are_left(steps_before: int) -> None:
    model = small_model()
    optimizer = freeze(model, 2)
    changed = [step(model, optimizer) for _ in range(steps_before)]
    again = small_model()
    again.load_state_dict(model.state_dict())
    resumed = freeze(again, 2)
    resumed.load_state_dict(optimizer.state_dict())
    changed += [step(again, resumed) for _ in range(4 - steps_before)]
    assert changed == [{"ctc"}, {"ctc"}, {"ctc", "encoder"}, {"ctc", "encoder"}]
