"""Finding and reading pre-trained weights: names, formats, and what each mistake says."""

import inspect
import json
import pickle
import shutil
from pathlib import Path

import pytest
import torch

from spner.asr.upstream import (
    S3PRL_FILES,
    find_upstream,
    parse_convolutions,
    read_architecture,
    read_weights,
)
from spner.core.errors import SpnerError
from tests.asr.upstreams import (
    BASE,
    CHANNELS,
    HIDDEN,
    make_hugging_face_twin,
    make_s3prl_hubert,
    make_s3prl_upstream,
    make_s3prl_wavlm,
)

pytestmark = pytest.mark.espnet


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_s3prl_upstream(tmp_path_factory.mktemp("upstream") / "s3prl")


@pytest.fixture(scope="module")
def folder(file: Path) -> Path:
    return make_hugging_face_twin(file, file.parent / "hf")


def refused(call, *args) -> str:
    with pytest.raises(SpnerError) as error:
        call(*args)
    message = str(error.value)
    assert "\n" not in message
    return message


def test_the_names_are_s3prls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each name is one of S3PRL's, and its own code takes the same file."""
    from s3prl.upstream.hubert import hubconf as hubert
    from s3prl.upstream.wav2vec2 import hubconf as wav2vec2
    from s3prl.upstream.wavlm import hubconf as wavlm

    for name, file in S3PRL_FILES.items():
        module = {"hubert": hubert, "mhuber": hubert, "wavlm_": wavlm}.get(name[:6], wav2vec2)
        assert f"s3prl/converted_ckpts/resolve/main/{file}" in inspect.getsource(getattr(module, name))


def test_a_name_is_downloaded_into_the_cache_of_the_hub(monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    asked = []
    monkeypatch.setattr("huggingface_hub.hf_hub_download", lambda *args: asked.append(args) or str(file))
    assert find_upstream("xls_r_300m") == file
    assert asked == [("s3prl/converted_ckpts", "xlsr2_300m.pt")]


def test_a_hub_id_without_safetensors_is_downloaded_with_its_other_weights(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked = []
    monkeypatch.setattr(
        "huggingface_hub.snapshot_download", lambda name, allow_patterns: asked.append(allow_patterns) or str(tmp_path)
    )
    assert find_upstream("facebook/wav2vec2-xls-r-300m") == tmp_path
    assert ["pytorch_model*.bin*"] in asked
    (tmp_path / "model.safetensors").touch()
    asked.clear()
    find_upstream("facebook/wav2vec2-xls-r-300m")
    assert len(asked) == 1


def test_without_a_network_one_line_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args, **_options):
        raise OSError("no such host\nmany lines more")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", fail)
    monkeypatch.setattr("huggingface_hub.snapshot_download", fail)
    for name in ("xls_r_300m", "facebook/wav2vec2-xls-r-300m"):
        message = refused(find_upstream, name)
        assert message.startswith(f"{name}: is no file or folder here")
        assert "(no such host)" in message and "give the path" in message


def test_names_that_lead_nowhere(tmp_path: Path) -> None:
    assert 'did you mean "xls_r_300m"?' in refused(find_upstream, "xls_r_300")
    assert "there is no such upstream" in refused(find_upstream, "./missing")
    assert "there is no such upstream" in refused(find_upstream, str(tmp_path / "missing.pt"))
    assert "has no config.json" in refused(find_upstream, str(tmp_path))


def test_both_formats_hold_the_same_network_and_weights(file: Path, folder: Path) -> None:
    from spner.asr.upstream import build_network

    for path in (file, folder):
        assert find_upstream(str(path)) == path
        architecture = read_architecture(path)
        assert architecture["model_type"] == "wav2vec2" and architecture["hidden_size"] == HIDDEN
        assert architecture["normalize"] is True and architecture["do_stable_layer_norm"] is True
        assert json.loads(json.dumps(architecture)) == architecture, "config.yaml holds it"
        build_network(architecture).load_state_dict(read_weights(path, architecture))
    one, other = (read_weights(path, read_architecture(path)) for path in (file, folder))
    assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(("make", "model_type"), [(make_s3prl_hubert, "hubert"), (make_s3prl_wavlm, "wavlm")])
def test_other_kinds_are_known_by_their_files(make, model_type: str, tmp_path: Path) -> None:
    architecture = read_architecture(make(tmp_path / "s3prl", BASE))
    assert architecture["model_type"] == model_type
    assert architecture["normalize"] is False and architecture["feat_extract_norm"] == "group"


def test_weights_of_another_kind_are_refused(file: Path, tmp_path: Path) -> None:
    hubert = make_s3prl_hubert(tmp_path / "s3prl")
    message = refused(read_weights, hubert, read_architecture(make_s3prl_wavlm(tmp_path / "wavlm")))
    assert "weights are missing or have another shape" in message and "wavlm" in message


def test_the_folder_of_a_fine_tuned_model_is_read_without_its_head(file: Path, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    architecture = read_architecture(file)
    weights = read_weights(file, architecture)
    folder = make_hugging_face_twin(file, tmp_path / "hf")
    (folder / "model.safetensors").unlink()
    headed = {f"wav2vec2.{name}": weight.clone() for name, weight in weights.items()}
    save_file(headed | {"lm_head.weight": torch.zeros(5, HIDDEN)}, folder / "model.safetensors")
    assert all(torch.equal(weights[name], weight) for name, weight in read_weights(folder, architecture).items())


def test_old_names_of_the_weight_norm_are_read(file: Path, tmp_path: Path) -> None:
    folder = make_hugging_face_twin(file, tmp_path / "hf")
    weights = read_weights(file, read_architecture(file))
    (folder / "model.safetensors").unlink()
    old = {
        name.replace(".conv.parametrizations.weight.original0", ".conv.weight_g").replace(
            ".conv.parametrizations.weight.original1", ".conv.weight_v"
        ): weight
        for name, weight in weights.items()
    }
    assert any(name.endswith("weight_g") for name in old)
    torch.save(old, folder / "pytorch_model.bin")
    assert all(torch.equal(weights[n], w) for n, w in read_weights(folder, read_architecture(folder)).items())


class Payload:
    """A pickled object that would write a file when it is loaded."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self):
        return (Path.touch, (self.place,))


@pytest.mark.parametrize("name", ["tiny.pt", "pytorch_model.bin"])
def test_nothing_that_a_checkpoint_contains_is_executed(folder: Path, tmp_path: Path, name: str) -> None:
    place = tmp_path / "executed"
    hostile = shutil.copytree(folder, tmp_path / "hf")
    (hostile / "model.safetensors").unlink()
    state = {"task_cfg": {}, "model_cfg": {}, "model_weight": Payload(place)}
    path = tmp_path / name if name.endswith(".pt") else hostile / name
    torch.save(state, path)
    call, target = (read_architecture, path) if name.endswith(".pt") else (None, hostile)
    message = refused(call, target) if call else refused(read_weights, target, read_architecture(target))
    assert "is no readable checkpoint" in message
    assert not place.exists()
    with path.open("wb") as stream:
        pickle.dump(Payload(place), stream)
    refused(call, target) if call else refused(read_weights, target, read_architecture(target))
    assert not place.exists()


def test_layers_of_convolutions_are_parsed_and_not_evaluated(tmp_path: Path) -> None:
    xls_r = "[(512, 10, 5)] + [(512, 3, 2)] * 4 + [(512,2,2)] + [(512,2,2)]"
    expected = [(512, 10, 5), *[(512, 3, 2)] * 4, (512, 2, 2), (512, 2, 2)]
    assert parse_convolutions(xls_r, tmp_path) == expected
    for text in ("__import__('os').system('true')", "", "[(512, 10)]", "[(1, 2, 3)] if 1 else [(1, 2, 3)]"):
        assert "conv_feature_layers" in refused(parse_convolutions, text, tmp_path)


def test_checkpoints_that_are_none_of_these(tmp_path: Path) -> None:
    for content in (b"no checkpoint", b"text\n", b"", b"\x80", b"PK\x03\x04", b"(lp0\n"):
        (tmp_path / "text.pt").write_bytes(content)
        assert "is no readable checkpoint" in refused(read_architecture, tmp_path / "text.pt"), content
    torch.save({"model": {}, "args": None}, tmp_path / "fairseq.pt")
    assert "must be converted first" in refused(read_architecture, tmp_path / "fairseq.pt")
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    assert "is a bert (expected one of wav2vec2, hubert, wavlm)" in refused(read_architecture, tmp_path)
    (tmp_path / "config.json").write_text("{}")
    assert "names no model_type" in refused(read_architecture, tmp_path)


def test_a_damaged_or_empty_folder(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "hf")
    architecture = read_architecture(copy)
    whole = (copy / "model.safetensors").read_bytes()
    (copy / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    assert "is no readable checkpoint" in refused(read_weights, copy, architecture)
    (copy / "model.safetensors").unlink()
    assert "holds no weights" in refused(read_weights, copy, architecture)


def test_networks_that_would_be_run_wrongly_are_refused(file: Path, folder: Path, tmp_path: Path) -> None:
    state = torch.load(file, weights_only=True)
    state["model_cfg"]["layer_type"] = "conformer"
    torch.save(state, tmp_path / "conformer.pt")
    assert "conformer" in refused(read_architecture, tmp_path / "conformer.pt")
    copy = shutil.copytree(folder, tmp_path / "hf")
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | {"adapter_attn_dim": 16}))
    assert "has adapters" in refused(read_architecture, copy)


def test_the_receptive_field_and_hop_of_xls_r(file: Path) -> None:
    from spner.asr.frontend import UpstreamFrontend

    frontend = UpstreamFrontend(str(file), read_architecture(file))
    assert (frontend.hop_length, frontend.receptive_field) == (320, 400)
    assert frontend.model.config.conv_dim == [CHANNELS] * 7
