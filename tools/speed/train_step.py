"""Print how fast a training step of a wav2vec 2.0 is, beside stock ESPnet with S3PRL, and plain transformers.

    python tools/speed/train_step.py                       # 12 layers of 384, clips of 5 s, for a CPU
    python tools/speed/train_step.py --shape xls_r_300m --batch_s 112 --device cuda --precision bf16

All three start from one set of random weights with the convolutions frozen, no masks and no dropout, and see the same
noise; their losses are printed, so that one sees that they do the same work. S3PRL's featurizer gives every utterance
its last frame twice, so stock's loss is that of a frame more. Stock ESPnet freezes by ``freeze_param``.
The share of the peak is that of a large matrix product on the same device, measured first: what our step's products and
convolutions would take at that speed, over what the step takes.
"""

import argparse
import json
import logging
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from spner.asr.upstream import build_network, read_architecture, read_weights
from spner.core.logs import prints_logged

with prints_logged():
    from espnet2.asr.ctc import CTC
    from espnet2.asr.espnet_model import ESPnetASRModel
    from espnet2.asr.frontend.s3prl import S3prlFrontend

    from spner.asr.frontend import UpstreamFrontend
    from spner.asr.loss import BatchedCTC

SHAPES = {
    "small": {
        "encoder_layers": 12,
        "encoder_embed_dim": 384,
        "encoder_ffn_embed_dim": 1536,
        "encoder_attention_heads": 6,
    },
    "xls_r_300m": {
        "encoder_layers": 24,
        "encoder_embed_dim": 1024,
        "encoder_ffn_embed_dim": 4096,
        "encoder_attention_heads": 16,
    },
}
NO_DROPOUT = dict.fromkeys(("dropout", "attention_dropout", "activation_dropout", "encoder_layerdrop"), 0.0)
VOCABULARY = 40  # tokens
RATE_HZ = 16000
TOKENS_S = 12  # tokens a second, as in Dutch read speech
WARM_UP = 3  # steps
PEAK_SIZES = {"cpu": 2048, "cuda": 8192}  # rows of the square matrices that the peak is measured with

Batch = dict[str, Tensor]
Step = Callable[[Batch], float]


def parse() -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(description="Speed of a training step, beside stock ESPnet's and transformers'.")
    parser.add_argument("--shape", choices=SHAPES, default="small", help="network (default: %(default)s)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default: %(default)s)")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32", help="(default: %(default)s)")
    parser.add_argument("--batch_s", type=float, default=[112.0], nargs="+", help="seconds of audio in a batch, padded")
    parser.add_argument("--clip_s", type=float, default=5.0, help="seconds of a clip on average (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=4, help="steps that are timed (default: %(default)s)")
    parser.add_argument("--systems", nargs="+", default=list(SYSTEMS), choices=list(SYSTEMS))
    parser.add_argument("--checkpointing", action="store_true", help="gradient checkpointing in ours")
    parser.add_argument("--profile", type=Path, help="file for a profile of our steps")
    return parser.parse_args()


def write_checkpoint(folder: Path, shape: dict[str, Any]) -> Path:
    """Write random weights of XLS-R's kind in S3PRL's format."""
    from s3prl.upstream.wav2vec2.wav2vec2_model import Wav2Vec2Config, Wav2Vec2Model

    large = {"extractor_mode": "layer_norm", "layer_norm_first": True, "conv_bias": True, "quantize_targets": True}
    cfg = {**shape, **large, **NO_DROPOUT, "final_dim": 256}
    torch.manual_seed(0)
    model = Wav2Vec2Model(Wav2Vec2Config(**cfg))
    state = {"task_cfg": {"normalize": True}, "model_cfg": cfg, "model_weight": model.state_dict()}
    torch.save(state, folder / "random.pt")
    return folder / "random.pt"


def make_batches(batch_s: float, args: argparse.Namespace) -> list[Batch]:
    """Return batches of clips of like length, noise and random tokens; the longest first, as memory is found then."""
    generator = torch.Generator().manual_seed(1)
    batches = []
    for number in range(args.steps + WARM_UP):
        longest_s = args.clip_s * (1.4 - 0.8 * number / (args.steps + WARM_UP - 1))
        size = max(1, int(batch_s / longest_s))
        shares = 1 - 0.05 * torch.rand(size, generator=generator)  # sorted batches hold little padding
        lengths = (shares * longest_s * RATE_HZ).long()
        speech = torch.randn(size, int(lengths.max()), generator=generator) * 0.1
        speech *= torch.arange(speech.shape[1]) < lengths[:, None]
        text_lengths = (lengths / RATE_HZ * TOKENS_S).long().clamp(min=1)
        text = torch.randint(2, VOCABULARY, (size, int(text_lengths.max())), generator=generator)
        text = text.masked_fill(torch.arange(text.shape[1]) >= text_lengths[:, None], -1)
        batch = {"speech": speech, "speech_lengths": lengths, "text": text, "text_lengths": text_lengths}
        batches.append({name: value.to(args.device) for name, value in batch.items()})
    return batches


def make_espnet(frontend: nn.Module, dim: int, *, loss: type[CTC] = CTC) -> ESPnetASRModel:
    """Return ESPnet's CTC model on a frontend, as conf/train_xlsr.yaml has it."""
    torch.manual_seed(2)
    ctc = loss(VOCABULARY, dim, dropout_rate=0.0)
    tokens = ["<blank>", "<unk>", *map(str, range(VOCABULARY - 3)), "<sos/eos>"]
    parts = dict.fromkeys(("specaug", "normalize", "preencoder", "encoder", "postencoder", "decoder", "joint_network"))
    conf = {"ctc_weight": 1.0, "report_cer": False, "report_wer": False, "autocast_frontend": True}
    return ESPnetASRModel(VOCABULARY, tokens, frontend=frontend, ctc=ctc, **parts, **conf)


def make_ours(file: Path, args: argparse.Namespace) -> Step:
    """Return our step."""
    architecture = read_architecture(file)
    frontend = UpstreamFrontend(str(file), architecture, gradient_checkpointing=args.checkpointing)
    frontend.model.load_state_dict(read_weights(file, architecture))
    frontend.model.feature_extractor.requires_grad_(False)
    model = make_espnet(frontend, frontend.output_size(), loss=BatchedCTC)
    return make_step(model, lambda model, batch: model(**batch)[0], args, fused=True)


def make_stock(file: Path, args: argparse.Namespace) -> Step:
    """Return the step of ESPnet with S3PRL's frontend as they come."""
    conf = {"upstream": "wav2vec2_custom", "path_or_url": str(file)}
    with prints_logged():
        frontend = S3prlFrontend(frontend_conf=conf, multilayer_feature=False)
    for name, parameter in frontend.named_parameters():
        if name.startswith("upstream.upstream.model.feature_extractor"):
            parameter.requires_grad = False
    return make_step(make_espnet(frontend, frontend.output_size()), lambda model, batch: model(**batch)[0], args)


def make_transformers(file: Path, args: argparse.Namespace) -> Step:
    """Return the step of transformers' own CTC model with its feature encoder frozen."""
    from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

    architecture = read_architecture(file)
    network: Any = build_network(architecture)
    network.load_state_dict(read_weights(file, architecture))
    conf: dict[str, Any] = {key: architecture[key] for key in architecture if key not in ("normalize", "model_type")}
    for dropout in ("attention", "hidden", "activation", "feat_proj", "final"):
        conf[f"{dropout}_dropout"] = 0.0
    config = Wav2Vec2Config(**conf, layerdrop=0.0, apply_spec_augment=False, vocab_size=VOCABULARY)
    model: Any = Wav2Vec2ForCTC(config)
    model.wav2vec2.load_state_dict(network.state_dict(), strict=False)
    model.lm_head.load_state_dict(make_espnet(nn.Identity(), network.config.hidden_size).ctc.ctc_lo.state_dict())
    model.freeze_feature_encoder()

    def loss(model: nn.Module, batch: Batch) -> Tensor:
        inside = (
            torch.arange(batch["speech"].shape[1], device=batch["speech"].device) < batch["speech_lengths"][:, None]
        )
        mean = batch["speech"].sum(1, keepdim=True) / batch["speech_lengths"][:, None]
        centred = (batch["speech"] - mean) * inside
        speech = centred / (centred.square().sum(1, keepdim=True) / batch["speech_lengths"][:, None] + 1e-5).sqrt()
        text = batch["text"].masked_fill(batch["text"] < 0, -100)
        return model(speech, attention_mask=inside.long(), labels=text).loss / len(speech)

    return make_step(model, loss, args)


SYSTEMS = {
    "spner": make_ours,
    "espnet+s3prl": make_stock,
    "transformers": make_transformers,
}


def make_step(model: nn.Module, loss_of: Callable, args: argparse.Namespace, *, fused: bool = False) -> Step:
    """Return a function that does one optimiser step on a batch and returns its loss."""
    model.to(args.device).train()
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-5, fused=fused)

    def step(batch: Batch) -> float:
        with torch.autocast(args.device, torch.bfloat16, enabled=args.precision == "bf16"):
            loss = loss_of(model, batch)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return float(loss.detach())

    return step


def measure_peak(args: argparse.Namespace) -> float:
    """Return the floating-point operations a second of the fastest of five large matrix products."""
    size = PEAK_SIZES[args.device]
    dtype = torch.bfloat16 if args.precision == "bf16" else torch.float32
    left = torch.randn(size, size, device=args.device, dtype=dtype)
    times = []
    for _ in range(5):
        begin = time.perf_counter()
        product = left @ left
        float(product[0, 0])  # waits for the device
        times.append(time.perf_counter() - begin)
    return 2 * size**3 / min(times)


def count_operations(file: Path, batches: list[Batch], args: argparse.Namespace) -> float:
    """Return the floating-point operations of a step for a second of audio; clips are of the mean length.

    Those of transformers are counted, and the plain form of attention: ours does the same sums by kernels of which the
    counter does not know all.
    """
    step, batch = make_transformers(file, args), batches[len(batches) // 2]
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        step(batch)
    return counter.get_total_flops() * RATE_HZ / float(batch["speech_lengths"].sum())


def run(step: Step, batches: list[Batch], args: argparse.Namespace) -> dict[str, float]:
    """Return the median seconds of a step, and audio seconds per second; the first steps warm up."""
    times, audio_s, losses = [], [], []
    if args.device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    for batch in batches:
        begin = time.perf_counter()
        losses.append(step(batch))
        times.append(time.perf_counter() - begin)
        audio_s.append(float(batch["speech_lengths"].sum()) / RATE_HZ)
    times, audio_s = times[WARM_UP:], audio_s[WARM_UP:]
    return {
        "step_s": round(statistics.median(times), 4),
        "longest_s": round(max(times), 4),
        "audio_s_per_s": round(sum(audio_s) / sum(times), 1),
        **({"memory_gib": round(torch.cuda.max_memory_allocated() / 2**30, 2)} if args.device == "cuda" else {}),
        "first_loss": round(losses[0], 3),
        "last_loss": round(losses[-1], 3),
    }


def main() -> None:
    """Measure and print."""
    args = parse()
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    threads = f", {torch.get_num_threads()} threads" if args.device == "cpu" else ""
    print(f"{args.shape}, {args.device}, {args.precision}{threads}; ratios to {args.systems[-1]}")
    with tempfile.TemporaryDirectory() as folder:
        file = write_checkpoint(Path(folder), SHAPES[args.shape])
        peak, flop_s = measure_peak(args), count_operations(file, make_batches(args.batch_s[0], args), args)
        print(f"peak {peak / 1e12:.3g} TFLOP/s; a step for a second of audio: {flop_s / 1e9:.1f} GFLOP")
        rows = []
        for name in args.systems:
            step = SYSTEMS[name](file, args)
            for batch_s in args.batch_s:
                batches = make_batches(batch_s, args)
                rows.append((name, batch_s, run(step, batches, args)))
                print(f"{name:14s} {batch_s:4g} s", json.dumps(rows[-1][2]), flush=True)
            if args.profile and name == args.systems[0]:
                profile(step, batches, args)
            del step
    last = {batch_s: row["audio_s_per_s"] for name, batch_s, row in rows if name == args.systems[-1]}
    for name, batch_s, row in rows:
        ratio = row["audio_s_per_s"] / last[batch_s]
        speed, share = row["audio_s_per_s"], row["audio_s_per_s"] * flop_s / peak
        print(
            f"{name:14s} batches of {batch_s:4g} s: {speed:7.1f} audio s/s, ratio {ratio:.2f}, {share:.1%} of the peak"
        )


def profile(step: Step, batches: list[Batch], args: argparse.Namespace) -> None:
    """Write where the time of two steps goes."""
    activities = [torch.profiler.ProfilerActivity.CPU]
    if args.device == "cuda":
        activities.append(torch.profiler.ProfilerActivity.CUDA)
    with torch.profiler.profile(activities=activities) as profiler:
        for batch in batches[-2:]:
            step(batch)
    key = "self_cuda_time_total" if args.device == "cuda" else "self_cpu_time_total"
    averages = profiler.key_averages()
    syncs = sum(row.count for row in averages if row.key in ("aten::_local_scalar_dense", "aten::nonzero"))
    table = averages.table(sort_by=key, row_limit=40, max_name_column_width=60)
    args.profile.write_text(f"host synchronisations in two steps: {syncs}\n{table}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
