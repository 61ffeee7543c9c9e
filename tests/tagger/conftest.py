"""A token classifier in the shape of XLM-R whose labels are known: each subword has its own, whatever stands around."""

from pathlib import Path

import pytest

# Labels of the CoNLL models on the hub: no B-PER, so entities of persons begin with I-.
TAGS = ("B-LOC", "B-MISC", "B-ORG", "I-LOC", "I-MISC", "I-ORG", "I-PER", "O")
PIECES = {
    "▁Angela": "I-PER",
    "▁Merk": "I-PER",
    "el": "B-ORG",
    "▁Noord": "B-LOC",
    "-": "O",
    "Holland": "O",
    "▁Berlin": "I-LOC",
    "▁Neder": "B-MISC",
    "▁": "O",
    "'": "O",
    "s": "O",
}
MAX_POSITIONS = 26


@pytest.fixture(scope="session")
def xlmr(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint: a Unigram tokenizer whose pieces carry the space before a word, and room for 22 of them."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast, XLMRobertaConfig, XLMRobertaForTokenClassification

    special = ["<s>", "<pad>", "</s>", "<unk>"]
    letters = [letter for letter in map(chr, range(33, 127)) if letter not in PIECES]
    vocab = [(p, 0.0) for p in special] + [(p, -5.0) for p in PIECES] + [(p, -20.0) for p in letters]
    tokenizer = Tokenizer(models.Unigram(vocab, unk_id=3))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    config = XLMRobertaConfig(
        vocab_size=len(vocab),
        hidden_size=len(TAGS),
        num_hidden_layers=1,
        num_attention_heads=1,
        intermediate_size=4,
        max_position_embeddings=MAX_POSITIONS,
        type_vocab_size=1,
        id2label=dict(enumerate(TAGS)),
    )
    model = XLMRobertaForTokenClassification(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "LayerNorm" not in name:
                parameter.zero_()
        for index, (piece, _) in enumerate(vocab):
            model.roberta.embeddings.word_embeddings.weight[index, TAGS.index(PIECES.get(piece, "O"))] = 1.0
        model.classifier.weight.copy_(torch.eye(len(TAGS)))
    folder = tmp_path_factory.mktemp("xlmr é")
    model.save_pretrained(folder)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>", pad_token="<pad>"
    ).save_pretrained(folder)
    return folder
