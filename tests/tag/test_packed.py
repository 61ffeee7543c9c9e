"""A pack of schema 1, made once: every spner tags with it as the first one did. And ``spner.load``."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml

import spner
from spner.core.errors import SpnerError
from spner.decode.onnx_model import open_session
from spner.tag.packed import load_pack
from tests.core.test_portable import ONLY_LINUX, ONLY_TRAINING, run_hidden
from tests.tag.golden import GOLDEN, GOLDEN_PIPELINE, write_pack
from tests.tag.models import RATE_HZ, pause, speak

pytest.importorskip("onnxruntime")
pytest.importorskip("flashlight.lib.text.decoder", reason="flashlight-text has no wheel for this Python")

WAVEFORM = np.concatenate([pause(0.5), speak("anna is in <LOC> gouda </NE>"), pause(1.0)])


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    soundfile.write(tmp_path / "talk.wav", WAVEFORM, RATE_HZ, subtype="FLOAT")
    return tmp_path / "talk.wav"


def test_a_file_and_an_array_are_tagged_alike(recording: Path) -> None:
    tagger = spner.load(GOLDEN)
    found = [tagger.tag(recording), tagger.tag(str(recording)), tagger.tag(WAVEFORM, RATE_HZ)]
    assert [one.text for one in found] == ["Anna is in Gouda"] * 3
    for tagged in found:
        (entity,) = tagged.entities
        assert (entity.label, entity.text, entity.start_char, entity.end_char) == ("LOC", "Gouda", 11, 16)
        assert entity.start_s == pytest.approx(1.40, abs=0.05)
        assert entity.confidence == pytest.approx(0.7311, abs=1e-4)  # 1 / (1 + exp(-1)), as its calibration says


def test_a_pipelines_tagger_finds_the_names(tmp_path: Path) -> None:
    waveform = np.concatenate([speak("anna is in gouda en gouda"), pause(1.0), speak("anna"), pause(0.5)])
    tagged = spner.load(GOLDEN_PIPELINE).tag(waveform, RATE_HZ)
    assert tagged.text == "Anna is in Gouda en Gouda Anna"
    found = [(entity.label, entity.text, entity.start_char) for entity in tagged.entities]
    assert found == [("PERSON", "Anna", 0), ("LOC", "Gouda", 11), ("LOC", "Gouda", 20), ("PERSON", "Anna", 0)]
    assert [entity.confidence for entity in tagged.entities] == pytest.approx([0.7311] * 4, abs=1e-4)
    assert {round(word.confidence or 0, 4) for word in tagged.words} == {0.7311}


def test_lower_case_is_left_as_it_is(recording: Path) -> None:
    tagged = spner.load(GOLDEN, lower_case=True).tag(recording)
    assert tagged.text == "anna is in gouda"
    tagged.save(recording.with_suffix(".srt"))
    assert "gouda" in recording.with_suffix(".srt").read_text(encoding="utf-8")


@pytest.mark.parametrize("pack", [GOLDEN, GOLDEN_PIPELINE])
def test_the_command_needs_neither_torch_nor_what_only_linux_has(recording: Path, pack: Path) -> None:
    code = "import sys; sys.argv[0] = 'spner'\nfrom spner.cli import main\n"
    code += "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code"
    out = run_hidden((*ONLY_LINUX, *ONLY_TRAINING), code, "tag", str(recording), "--model", str(pack), "-f", "jsonl")
    record = json.loads(out)
    assert record["text"] == "Anna is in Gouda" and record["entities"][-1]["text"] == "Gouda"


def change(pack: Path, name: str, content: bytes, target: Path) -> Path:
    """Write a pack in which one file is another, as ``meta.yaml`` says."""
    with zipfile.ZipFile(pack) as archive:
        files = {one: archive.read(one) for one in archive.namelist()}
    meta = yaml.safe_load(files.pop("meta.yaml"))
    write_pack(target, meta, {**files, name: content})
    return target


@pytest.mark.parametrize(
    ("pack", "name", "content", "why"),
    [
        (GOLDEN, "tokens.txt", b"<blank>\n<unk>\na\n<sos/eos>\n", r"has the outputs \{'log_probs': 34"),
        (GOLDEN_PIPELINE, "tagger.onnx", b"no graph", r"tagger\.onnx: ONNX Runtime cannot load it"),
        (GOLDEN_PIPELINE, "tokenizer.json", b"{}", r"tokenizer\.json: is no tokenizer"),
    ],
)
def test_files_that_do_not_fit_each_other_are_one_line(
    tmp_path: Path, pack: Path, name: str, content: bytes, why: str
) -> None:
    with pytest.raises(SpnerError, match=why) as error:
        spner.load(change(pack, name, content, tmp_path / "pack.zip"))
    assert "\n" not in str(error.value)


def test_a_model_that_is_no_graph_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"no graph")
    with pytest.raises(SpnerError, match=r"model\.onnx: ONNX Runtime cannot load it"):
        open_session(tmp_path / "model.onnx", device="cpu")


@pytest.mark.parametrize("device", ["tpu", "cuda:7"])
def test_a_device_that_is_not_there_is_told(device: str) -> None:
    import onnxruntime

    if device != "tpu" and "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("there is a GPU")
    with pytest.raises(SpnerError, match=f"--device {device}: "):
        load_pack(GOLDEN, device=device)


@pytest.mark.parametrize("location", ["/etc/hostname", "../weights.bin"])
def test_weights_outside_the_pack_are_refused(tmp_path: Path, location: str) -> None:
    onnx = pytest.importorskip("onnx")
    (tmp_path / "weights.bin").write_bytes(bytes(4 * 4))
    weights = onnx.TensorProto(name="w", data_type=1, dims=[4], data_location=1)
    weights.external_data.add(key="location", value=location)
    value = onnx.helper.make_tensor_value_info
    add = onnx.helper.make_node("Add", ["x", "w"], ["y"])
    graph = onnx.helper.make_graph([add], "g", [value("x", 1, [4])], [value("y", 1, [4])], [weights])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=9)
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "model.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(SpnerError, match="ONNX Runtime cannot load it"):
        open_session(tmp_path / "pack" / "model.onnx", device="cpu")


def test_importing_the_package_is_light() -> None:
    code = "import sys, spner; print(len({'numpy', 'onnxruntime', 'click', 'torch'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "0\n"
