"""ESPnet's trainer; it reports word errors and entity F1 on dev, and its saves survive a kill."""

import gc
import logging
import time
from pathlib import Path
from typing import Any

import torch

from spner.asr.ctc import greedy_search
from spner.asr.dev_counts import count_dev
from spner.core.files import atomic_path
from spner.core.logs import prints_logged
from spner.data.tokens import find_labels, tokens_to_words
from spner.scoring.ratio import Count

with prints_logged():  # ESPnet prints that it lacks flash_attn, which it can do without
    from espnet2.asr.espnet_model import ESPnetASRModel
    from espnet2.train.trainer import Trainer

log = logging.getLogger(__name__)


class SpnerTrainer(Trainer):
    """ESPnet's trainer; its dev pass also decodes, so that a checkpoint can be selected by WER or F1."""

    @classmethod
    def run(cls, *args: Any, **kwargs: Any) -> None:
        """Train; every file of the run appears under its name only when complete."""
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
    def resume(cls, checkpoint: Path, model: ESPnetASRModel, reporter: Any, **kwargs: Any) -> None:
        """Continue an interrupted run after its last finished epoch."""
        super().resume(checkpoint, model=model, reporter=reporter, **kwargs)
        # ESPnet saves the training state first and the epoch's model after it; a kill can fall between the two.
        epoch_model = Path(checkpoint).with_name(f"{reporter.get_epoch()}epoch.pth")
        if not epoch_model.exists():
            torch.save(model.state_dict(), epoch_model)

    @classmethod
    def train_one_epoch(cls, *args: Any, **kwargs: Any) -> bool:
        """Train one epoch, and remember when it began."""
        cls._began = time.monotonic()
        return super().train_one_epoch(*args, **kwargs)

    @classmethod
    @torch.no_grad()
    def validate_one_epoch(
        cls, model: torch.nn.Module, iterator: Any, reporter: Any, options: Any, distributed_option: Any
    ) -> None:
        """Report the dev set's loss (mean over utterances), and over all of it both WERs and entity F1."""
        module: ESPnetASRModel = getattr(model, "module", model)
        module.eval()
        device = next(module.parameters()).device
        totals = torch.zeros(8, dtype=torch.float64)
        for _utt_ids, batch in iterator:
            batch = {name: value.to(device) for name, value in batch.items()}
            # Full precision, as in decoding: the scores that select a checkpoint are those that decoding gives.
            encoder_out, lengths = module.encode(batch["speech"], batch["speech_lengths"])
            loss = module.ctc(encoder_out, lengths, batch["text"], batch["text_lengths"])
            hyps = greedy_search(module.ctc.ctc_lo(encoder_out), lengths)
            refs = [ids[:length].tolist() for ids, length in zip(batch["text"], batch["text_lengths"], strict=True)]
            totals += torch.tensor([len(refs), float(loss) * len(refs), *_count(module.token_list, refs, hyps)])
        if distributed_option.distributed:
            totals = totals.to(device)
            torch.distributed.all_reduce(totals)
        num_utts, loss, errors, ref_words, tagged_errors, tagged_ref_words, matches, entities = totals.tolist()
        wer, f1 = errors / max(ref_words, 1), 2 * matches / max(entities, 1)
        wer_tagged = tagged_errors / max(tagged_ref_words, 1)
        reporter.register({"loss": loss / num_utts, "wer": wer, "wer_tagged": wer_tagged, "f1": f1})
        reporter.next()
        log.info(
            "epoch %d of %d in %.0f s: dev loss %.2f, WER %.3f, entity F1 %.3f",
            reporter.get_epoch(),
            options.max_epoch,
            time.monotonic() - cls._began,
            loss / num_utts,
            wer,
            f1,
        )


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
