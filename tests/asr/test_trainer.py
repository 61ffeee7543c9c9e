"""What our trainer adds to ESPnet's."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.asr.test_padding import build_model
from tests.prepared import Prepared

pytestmark = pytest.mark.espnet


def test_counts_of_the_dev_pass_by_hand() -> None:
    """jan<PER> ziet rome, decoded without the place's symbols and with a wrong word: 1 error of 3 words, 3 of 7."""
    from spner.asr.trainer import _count

    tokens = ["<blank>", "<unk>", "<PER>", "<ORG>", "<LOC>", "</NE>", "<space>", *"janzietromeu", "<sos/eos>"]
    ids = {token: number for number, token in reversed(list(enumerate(tokens)))}

    def encode(*pieces: str) -> list[int]:
        return [ids[token] for piece in pieces for token in ([piece] if piece in ids else piece)]

    ref = encode("<PER>", "jan", "</NE>", "<space>", "ziet", "<space>", "<LOC>", "rome", "</NE>")
    hyp = encode("<PER>", "jan", "</NE>", "<space>", "zit", "<space>", "rome")
    assert _count(tokens, [ref], [hyp]) == [1, 3, 3, 7, 1, 3]
    assert _count(tokens, [ref, ref], [hyp, ref]) == [1, 6, 3, 14, 3, 7]
    assert _count(tokens, [ref], [[]]) == [3, 3, 7, 7, 0, 2]


def test_an_entity_counts_in_the_dev_pass_only_with_its_words() -> None:
    """The epoch is selected on entity F1: a misheard name is not found, though label-F1 would count its label."""
    from spner.asr.trainer import _count

    tokens = ["<blank>", "<unk>", "<PER>", "</NE>", "j", "a", "n", "o"]
    ref, misheard = [2, 4, 5, 6, 3], [2, 4, 7, 6, 3]
    assert _count(tokens, [ref], [misheard])[-2:] == [0, 2]
    assert _count(tokens, [ref], [ref])[-2:] == [1, 2]


class Reported(dict[str, float]):
    """A reporter that keeps what it was told last."""

    def register(self, stats: dict[str, float]) -> None:
        self.update(stats)

    def next(self) -> None:
        pass

    def get_epoch(self) -> int:
        return 1


def make_batch(texts: list[list[int]], *, seed: int = 0) -> tuple[list[str], dict[str, Any]]:
    """Return noise of half a second for each text, as ESPnet hands out a batch."""
    import torch

    longest = max(map(len, texts))
    noise = torch.randn(len(texts), 8000, generator=torch.Generator().manual_seed(seed))
    batch = {
        "speech": noise,
        "speech_lengths": torch.full((len(texts),), 8000),
        "text": torch.tensor([text + [-1] * (longest - len(text)) for text in texts]),
        "text_lengths": torch.tensor([len(text) for text in texts]),
    }
    return [f"u{row}" for row in range(len(texts))], batch


def run_dev_pass(model: Any, batches: list[tuple[list[str], dict[str, Any]]]) -> Reported:
    from spner.asr.trainer import SpnerTrainer

    reported = Reported()
    SpnerTrainer._began = 0.0
    options = SimpleNamespace(use_amp=False)
    SpnerTrainer.validate_one_epoch(model, batches, reported, options, SimpleNamespace(distributed=False))
    return reported


def test_the_dev_pass_has_no_dropout_and_no_augmentation(prepared: Prepared, repo_root: Path) -> None:
    """It follows an epoch of training, whose model is in training mode; ESPnet's CTC layer drops in any mode."""
    model = build_model(prepared, repo_root, "ctc_conf.dropout_rate=0.5")
    batches = [make_batch([[7, 8, 9], [7]])]
    losses = [run_dev_pass(model.train(), batches)["loss"] for _ in range(2)]
    assert losses[0] == losses[1]
    assert run_dev_pass(model.eval(), batches)["loss"] == losses[0]


def test_the_dev_pass_reports_means_over_all_batches(
    prepared: Prepared, repo_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batches of two utterances and of one: losses count once an utterance, errors and entities are summed first."""
    from spner.asr import trainer

    model = build_model(prepared, repo_root)
    ids = {token: number for number, token in enumerate(model.token_list)}
    name, misheard = ([ids[token] for token in ("<PER>", *word, "</NE>")] for word in ("an", "en"))
    word = [ids["a"], ids["n"]]
    batches = [make_batch([name, word]), make_batch([name], seed=1)]
    singles = [
        ([utt_id], {key: value[row : row + 1] for key, value in batch.items()})
        for utt_ids, batch in batches
        for row, utt_id in enumerate(utt_ids)
    ]
    losses = [run_dev_pass(model, [single])["loss"] for single in singles]
    found = iter([[name, []], [misheard]])
    monkeypatch.setattr(trainer, "greedy_search", lambda *_: next(found))
    reported = run_dev_pass(model, batches)
    assert reported["loss"] == pytest.approx(sum(losses) / 3, rel=1e-4)
    assert (reported["wer"], reported["wer_tagged"]) == (2 / 3, 2 / 7)
    assert reported["f1"] == 1 / 2


def test_a_kill_between_the_two_saves_of_an_epoch_loses_no_model(tmp_path: Path) -> None:
    """ESPnet saves the training state first, then the epoch's model, which the mean of the best epochs needs."""
    import torch
    from espnet2.train.reporter import Reporter

    from spner.asr.trainer import SpnerTrainer

    def resume(model: torch.nn.Module) -> None:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        parts = {"optimizers": [optimizer], "schedulers": [None], "scaler": None, "ngpu": 0}
        SpnerTrainer.resume(tmp_path / "checkpoint.pth", model=model, reporter=Reporter(), **parts)

    trained = torch.nn.Linear(2, 2)
    reporter = Reporter()
    reporter.set_epoch(3)
    state = {
        "model": trained.state_dict(),
        "reporter": reporter.state_dict(),
        "optimizers": [torch.optim.SGD(trained.parameters(), lr=0.1).state_dict()],
        "schedulers": [None],
        "scaler": None,
    }
    torch.save(state, tmp_path / "checkpoint.pth")
    resume(torch.nn.Linear(2, 2))
    saved = torch.load(tmp_path / "3epoch.pth", weights_only=True)
    assert all(torch.equal(saved[name], value) for name, value in trained.state_dict().items())

    torch.save({"kept": 1}, tmp_path / "3epoch.pth")
    resume(torch.nn.Linear(2, 2))
    assert torch.load(tmp_path / "3epoch.pth", weights_only=True) == {"kept": 1}


def test_a_saved_file_appears_only_when_complete(prepared: Prepared, tmp_path: Path, monkeypatch) -> None:
    import torch
    from espnet2.train.trainer import Trainer

    from spner.asr.trainer import SpnerTrainer

    target = tmp_path / "checkpoint.pth"
    torch.save({"epoch": 1}, target)

    class Unsaveable:
        def __reduce__(self):
            raise RuntimeError("the disk is gone")

    monkeypatch.setattr(Trainer, "run", lambda: torch.save({"epoch": 2, "broken": Unsaveable()}, target))
    with pytest.raises(RuntimeError, match="the disk is gone"):
        SpnerTrainer.run()
    assert torch.load(target, weights_only=True) == {"epoch": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.pth"]
