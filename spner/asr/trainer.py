"""ESPnet's trainer; it reports word errors and entity F1 on dev, and its saves survive a kill."""

import gc
import logging
import math
import time
from pathlib import Path
from typing import Any

import torch

from spner.asr.checkpoint import unreadable_refused
from spner.asr.ctc import greedy_search
from spner.asr.dev_counts import count_dev
from spner.asr.failure import TrainingFailed, advise_lower_rate
from spner.asr.precision import training_precision
from spner.asr.watch import Watch
from spner.core.files import atomic_path
from spner.core.logs import prints_logged
from spner.core.progress import in_words
from spner.data.tokens import find_labels, tokens_to_words
from spner.scoring.ratio import Count

with prints_logged():  # ESPnet prints that it lacks flash_attn, which it can do without
    from espnet2.asr.espnet_model import ESPnetASRModel
    from espnet2.train.trainer import Trainer

log = logging.getLogger(__name__)


class SpnerTrainer(Trainer):
    """ESPnet's trainer; its dev pass also decodes, so that a checkpoint can be selected by WER or F1."""

    # Of the training that is under way, what ESPnet's options lack: the highest learning rate, epochs in a pass and in
    # all, and the seconds that each epoch took.
    _rate, _parts_per_pass, _num_epochs = math.nan, 1, 1
    _taken_s: tuple[float, ...] = ()

    @classmethod
    def run(cls, *args: Any, **kwargs: Any) -> None:
        """Train; every file of the run appears under its name only when complete."""
        cls._taken_s = ()
        gc.collect()
        gc.freeze()  # what importing ESPnet has made lives on; to search it for garbage takes a twentieth of the time
        plain_save = torch.save

        def save(state: Any, path: Path) -> None:
            with atomic_path(Path(path)) as temporary:
                plain_save(state, temporary)

        torch.save = save  # type: ignore[assignment]
        try:
            super().run(*args, **kwargs)
        finally:
            torch.save = plain_save

    @classmethod
    def build_options(cls, args: Any) -> Any:
        """Return ESPnet's options, and remember what they lack."""
        cls._rate, cls._parts_per_pass, cls._num_epochs = args.optim_conf["lr"], args.parts_per_pass, args.max_epoch
        return super().build_options(args)

    @classmethod
    def resume(cls, checkpoint: Path, model: ESPnetASRModel, reporter: Any, schedulers: Any, **kwargs: Any) -> None:
        """Continue an interrupted run after its last finished epoch.

        Raises:
            SpnerError: the training state cannot be read.
        """
        totals = [getattr(scheduler, "total_steps", None) for scheduler in schedulers]
        with unreadable_refused(Path(checkpoint), advice="remove it to train anew"):
            super().resume(checkpoint, model=model, reporter=reporter, schedulers=schedulers, **kwargs)
        for scheduler, total in zip(schedulers, totals, strict=True):
            if total is not None:
                _end_in_time(scheduler, total // cls._num_epochs * (cls._num_epochs - reporter.get_epoch()))
        # ESPnet saves the training state first and the epoch's model after it; a kill can fall between the two.
        epoch_model = Path(checkpoint).with_name(f"{reporter.get_epoch()}epoch.pth")
        if not epoch_model.exists() and _rank() == 0:
            torch.save(model.state_dict(), epoch_model)

    @classmethod
    def train_one_epoch(
        cls, *, model: Any, iterator: Any, optimizers: Any, scaler: Any, reporter: Any, options: Any, **others: Any
    ) -> bool:
        """Train one epoch; show how far it is.

        Raises:
            TrainingFailed: a loss, gradients or weights are not finite.
        """
        cls._began = time.monotonic()
        epoch = reporter.get_epoch()
        torch.manual_seed(torch.initial_seed() + _rank())  # else all processes draw the same masks
        watch = Watch(
            reporter,
            title=cls._name(epoch),
            num_batches=len(iterator),
            first_step=(epoch - 1) * (len(iterator) // options.accum_grad) + 1,
            scaled=scaler is not None and scaler.is_enabled(),
            rate=cls._rate,
            processes=torch.distributed.get_world_size() if torch.distributed.is_initialized() else 1,
            shown=_rank() == 0,
        )
        with watch:
            skipped_all = super().train_one_epoch(
                model=model,
                iterator=watch.count(iterator),
                optimizers=optimizers,
                scaler=scaler,
                reporter=watch,
                options=options,
                **others,
            )
        cls._last_step = watch.last_step()
        for name, value in getattr(model, "module", model).state_dict().items():
            if value.is_floating_point() and not bool(value.isfinite().all()):
                raise TrainingFailed(f"{name} is not finite", cls._last_step, advice=advise_lower_rate(cls._rate))
        return skipped_all

    @classmethod
    @torch.no_grad()
    def validate_one_epoch(
        cls, model: torch.nn.Module, iterator: Any, reporter: Any, options: Any, distributed_option: Any
    ) -> None:
        """Report the dev set's loss (mean over utterances), and over all of it both WERs and entity F1.

        Raises:
            TrainingFailed: the loss is not finite.
        """
        module: ESPnetASRModel = getattr(model, "module", model)
        module.eval()
        device = next(module.parameters()).device
        totals = torch.zeros(8, dtype=torch.float64)
        for _utt_ids, batch in iterator:
            batch = {name: value.to(device) for name, value in batch.items()}
            with training_precision(device, use_amp=options.use_amp):
                encoder_out, lengths = module.encode(batch["speech"], batch["speech_lengths"])
                scores = module.ctc.ctc_lo(encoder_out).float()  # (B, T, V), for the loss and the search
            loss = module.ctc.loss_of(scores, lengths, batch["text"], batch["text_lengths"])
            refs = [ids[:length].tolist() for ids, length in zip(batch["text"], batch["text_lengths"], strict=True)]
            hyps = greedy_search(scores, lengths)
            totals += torch.tensor([len(refs), float(loss) * len(refs), *_count(module.token_list, refs, hyps)])
        if distributed_option.distributed:
            totals = totals.to(device)
            torch.distributed.all_reduce(totals)
        num_utts, loss, errors, ref_words, tagged_errors, tagged_ref_words, matches, entities = totals.tolist()
        if not math.isfinite(loss):
            raise TrainingFailed("the loss on dev is not finite", cls._last_step, advice=advise_lower_rate(cls._rate))
        wer, f1 = errors / max(ref_words, 1), 2 * matches / max(entities, 1)
        wer_tagged = tagged_errors / max(tagged_ref_words, 1)
        reporter.register({"loss": loss / num_utts, "wer": wer, "wer_tagged": wer_tagged, "f1": f1})
        reporter.next()
        epoch, taken_s = reporter.get_epoch(), time.monotonic() - cls._began
        cls._taken_s = (*cls._taken_s, taken_s)
        left_s = sum(cls._taken_s) / len(cls._taken_s) * (cls._num_epochs - epoch)
        log.info(
            "%s in %.0f s: dev loss %.2f, WER %.3f, entity F1 %.3f; about %s left",
            cls._name(epoch),
            taken_s,
            loss / num_utts,
            wer,
            f1,
            in_words(left_s),
        )

    @classmethod
    def _name(cls, epoch: int) -> str:
        """Return how an epoch is called; where it is no pass over the training set, with the passes at its end."""
        name, parts = f"epoch {epoch} of {cls._num_epochs}", cls._parts_per_pass
        return name if parts == 1 else f"{name} ({epoch / parts:.2f} of {cls._num_epochs // parts} passes)"


def _rank() -> int:
    """Return the number of this process among those that train together."""
    return torch.distributed.get_rank() if torch.distributed.is_initialized() else 0


def _end_in_time(scheduler: torch.optim.lr_scheduler.OneCycleLR, num_left: int) -> None:
    """Let the rate reach its end with the last step; with other batches an epoch has some steps more or fewer."""
    scheduler.total_steps = scheduler.last_epoch + num_left
    scheduler._schedule_phases[-1]["end_step"] = scheduler.total_steps - 1


def _count(token_list: list[str], refs: list[list[int]], hyps: list[list[int]]) -> list[Count]:
    """Return the batch's counts: word errors and reference words, without entity symbols and with them; matched
    entities, and entities of both sides together.
    """

    def read(ids: list[int]) -> list[str]:
        return tokens_to_words(token_list[i] for i in ids)

    errors, tagged_errors, found = count_dev(
        list(map(read, refs)), list(map(read, hyps)), labels=find_labels(token_list)
    )
    counts = [(e.num_sub + e.num_del + e.num_ins, e.num_ref) for e in (errors, tagged_errors)]
    return [*counts[0], *counts[1], found.tp, 2 * found.tp + found.fp + found.fn]
