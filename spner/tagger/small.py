"""A small token classifier, trained from scratch: its tokenizer, its configuration, and its subword regularisation.

A DeBERTa-v2: relative positions and the convolution over neighbouring subwords suit few and short sentences.
The tokenizer is a byte-level BPE, so no word is ever unknown.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from spner.tagger.encoder import Encoder
from spner.tagger.model import make_encoder

VOCAB_SIZE = 4000
PAD, START, END, MASK = SPECIAL_TOKENS = ("<pad>", "<s>", "</s>", "<mask>")
COARSENESS = (0.0, 0.25, 0.5)
"""Shares of the merges that the coarser encoders know: 0 spells every word byte by byte."""


def train_tokenizer(words: Iterable[str]) -> Any:
    """Return a transformers tokenizer, a byte-level BPE trained on words, or runs of them without spaces.

    Deterministic.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        words,
        trainers.BpeTrainer(
            vocab_size=VOCAB_SIZE,
            min_frequency=2,
            special_tokens=list(SPECIAL_TOKENS),
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{START} $A {END}",
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in (START, END)],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=PAD, bos_token=START, eos_token=END, mask_token=MASK, model_max_length=512
    )


def coarser_encoders(tokenizer: Any, config: Any) -> list[Encoder]:
    """Return encoders over the same ids that know only the first merges, and so split words finer.

    Mixing them while training is what BPE-dropout is for (Provilkov et al. 2020), but words can be cached and
    a seed decides everything: the library's own dropout cannot be seeded.
    """
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

    encoders = []
    for share in COARSENESS:
        state = json.loads(tokenizer.backend_tokenizer.to_str())
        merges = state["model"]["merges"]
        state["model"]["merges"] = merges[: round(share * len(merges))]
        coarse = Tokenizer.from_str(json.dumps(state))
        encoders.append(make_encoder(PreTrainedTokenizerFast(tokenizer_object=coarse, pad_token=PAD), config))
    return encoders


def small_config(tokenizer: Any, tags: Sequence[str]) -> Any:
    """Return the configuration of the small classifier for this tokenizer and these outputs."""
    from transformers import DebertaV2Config

    # Not all of these are parameters that transformers declares, though its model reads them.
    settings: dict[str, Any] = dict(
        vocab_size=len(tokenizer),
        hidden_size=192,
        intermediate_size=384,
        num_hidden_layers=3,
        num_attention_heads=4,
        max_position_embeddings=512,
        type_vocab_size=0,
        relative_attention=True,
        position_buckets=32,
        pos_att_type=["p2c", "c2p"],
        share_att_key=True,
        norm_rel_ebd="layer_norm",
        position_biased_input=False,
        conv_kernel_size=3,
        conv_act="gelu",
        hidden_dropout_prob=0.2,
        attention_probs_dropout_prob=0.1,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        id2label=dict(enumerate(tags)),
        label2id={tag: index for index, tag in enumerate(tags)},
    )
    return DebertaV2Config(**settings)
