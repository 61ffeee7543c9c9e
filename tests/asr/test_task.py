"""What our task adds to ESPnet's."""

from pathlib import Path

import pytest

from tests.asr.conftest import Prepared
from tests.asr.test_padding import build_model

pytestmark = pytest.mark.espnet


def test_espnet_does_not_check_the_types_of_its_own_calls() -> None:
    """typeguard's checks, where it builds them in, are names that a function uses."""
    from spner.asr.task import SpnerTask

    methods = [method for method in vars(SpnerTask.__base__).values() if isinstance(method, classmethod)]
    codes = [method.__func__.__code__ for method in methods]
    assert len(codes) > 5
    assert [code.co_name for code in codes if any("check_argument_types" in name for name in code.co_names)] == []


def test_bfloat16_on_a_cpu_sees_the_weights_of_each_step(prepared: Prepared, repo_root: Path) -> None:
    """Autocast caches cast weights; a cache that outlives a step trains on stale ones and learns nothing."""
    import torch

    model = build_model(prepared, repo_root, "use_amp=true")
    batch = {
        "speech": torch.randn(1, 16000),
        "speech_lengths": torch.tensor([16000]),
        "text": torch.tensor([[7, 8]]),
        "text_lengths": torch.tensor([2]),
    }
    losses = []
    for scale in (1.0, 0.0):
        with torch.no_grad():
            model.ctc.ctc_lo.weight.mul_(scale)
        with torch.amp.autocast("cuda", enabled=False):  # what ESPnet's trainer wraps a step in
            loss, _, _ = model(**batch)
        losses.append(float(loss))
    assert losses[0] != losses[1]


def test_only_training_runs_in_bfloat16(prepared: Prepared, repo_root: Path) -> None:
    import torch

    model = build_model(prepared, repo_root, "use_amp=true")
    dtypes = []
    model.ctc.ctc_lo.register_forward_hook(lambda _module, _inputs, output: dtypes.append(output.dtype))
    speech, lengths = torch.randn(1, 16000), torch.tensor([16000])
    model(speech=speech, speech_lengths=lengths, text=torch.tensor([[7]]), text_lengths=torch.tensor([1]))
    model.ctc.ctc_lo(model.encode(speech, lengths)[0])
    assert dtypes == [torch.bfloat16, torch.float32]


def test_counts_of_the_dev_pass_by_hand() -> None:
    """jan<PER> ziet rome, heard without the place's symbols and with a wrong word: 1 error of 3 words, 3 of 7."""
    from spner.asr.task import _count

    tokens = ["<blank>", "<unk>", "<PER>", "<ORG>", "<LOC>", "</NE>", "<space>", *"janzietromeu", "<sos/eos>"]
    ids = {token: number for number, token in reversed(list(enumerate(tokens)))}

    def encode(*pieces: str) -> list[int]:
        return [ids[token] for piece in pieces for token in ([piece] if piece in ids else piece)]

    ref = encode("<PER>", "jan", "</NE>", "<space>", "ziet", "<space>", "<LOC>", "rome", "</NE>")
    hyp = encode("<PER>", "jan", "</NE>", "<space>", "zit", "<space>", "rome")
    assert _count(tokens, [ref], [hyp]) == [1, 3, 3, 7, 1, 3]
    assert _count(tokens, [ref, ref], [hyp, ref]) == [1, 6, 3, 14, 3, 7]
    assert _count(tokens, [ref], [[]]) == [3, 3, 7, 7, 0, 2]


def test_a_saved_file_appears_only_when_complete(prepared: Prepared, tmp_path: Path, monkeypatch) -> None:
    import torch
    from espnet2.train.trainer import Trainer

    from spner.asr.task import SpnerTrainer

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


def test_a_checkpoint_with_code_in_it_is_not_run(tmp_path: Path) -> None:
    import torch

    import spner.asr.task  # noqa: F401  forces weights_only for whoever loads

    class Code:
        def __reduce__(self):
            return (Path(tmp_path / "executed").touch, ())

    torch.save(Code(), tmp_path / "stranger.pth")
    with pytest.raises(Exception, match="[Ww]eights"):
        torch.load(tmp_path / "stranger.pth", weights_only=False)
    assert not (tmp_path / "executed").exists()
