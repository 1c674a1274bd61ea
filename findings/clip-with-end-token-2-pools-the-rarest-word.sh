#!/bin/sh
# transformers 5.23.0, torch 2.13.0: a CLIP text encoder whose end token has the id 2 answers, as its pooled vector, with the
# word of the highest id instead of the end of the text.
#
# Behaviour: 2 is what the configurations of OpenAI's CLIP models said by mistake, so eos_token_id=2 is kept as a sign for "take
# the position of the largest id", which for CLIP's own vocabulary is its end token. A Korean vocabulary in the usual order of
# SentencePiece's and RoBERTa's descendants (<s> 0, <pad> 1, </s> 2, then words by falling frequency) says 2 and means it, and
# is read by its rarest word. The encoder is causal: whatever stands after that word has no part in the vector. Texts that
# differ only there are one point to a search, and to SDXL's pooled condition, and a loss on it trains on that, without an error
# or a warning. Where the configuration keeps its default (49407), an id that no text of a small vocabulary has, the vector is
# that of <s>, one for all texts; one logged line says that the id is outside the vocabulary. The hidden states, all that Stable
# Diffusion 1 reads, are right in each case. CLIPTextModel and CLIPModel pool alike.
# What to do: give the end token another id than 2, and say it in the configuration; or pool the hidden states oneself.
#
# Installs transformers 5.23.0, tokenizers 0.23.3 and torch 2.13.0 into a temporary folder; the network is tiny, its weights
# random; uses nothing of this repository.
# Output seen, November 2026:
#   </s> is 2, configuration 2: 빨간 체크무늬 원피스 pooled at 체크무늬; as 빨간 체크무늬 한복: True, as 빨간 체크무늬: True
#   </s> is 2, configuration 49407: 빨간 체크무늬 원피스 pooled at <s>; as 빨간 체크무늬 한복: True, as 빨간 체크무늬: True
#   </s> is 1, configuration 1: 빨간 체크무늬 원피스 pooled at </s>; as 빨간 체크무늬 한복: False, as 빨간 체크무늬: False
# Fails (exit 1) where that changes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  torch==2.13.0 numpy==2.4.6 transformers==5.23.0 tokenizers==0.23.3
cat > "$folder/script.py" <<'PYTHON'
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import CLIPTextConfig, CLIPTextModelWithProjection

WORDS = ["<unk>", "빨간", "원피스", "한복", "체크무늬"]  # the most frequent first
TEXT, OTHER_END, SHORTER = "빨간 체크무늬 원피스", "빨간 체크무늬 한복", "빨간 체크무늬"


def see(special, configured):
    """Print at which token a text is pooled, and whether two others have the same vector."""
    ids = {word: number for number, word in enumerate([*special, *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    ends = [(token, ids[token]) for token in ("<s>", "</s>")]
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=ends)
    tokenizer.enable_padding(length=8, pad_id=ids["<pad>"], pad_token="<pad>")
    end = {} if configured is None else {"eos_token_id": configured}
    config = CLIPTextConfig(
        vocab_size=len(ids), hidden_size=16, intermediate_size=16, projection_dim=16, num_hidden_layers=2,
        num_attention_heads=2, max_position_embeddings=8, bos_token_id=ids["<s>"], pad_token_id=ids["<pad>"], **end,
    )
    torch.manual_seed(0)
    model = CLIPTextModelWithProjection(config).eval()

    def pooled(text):
        found = tokenizer.encode(text)
        with torch.no_grad():
            answer = model(torch.tensor([found.ids]), torch.tensor([found.attention_mask]))
            each = model.text_projection(answer.last_hidden_state[0])
        place = (each - answer.text_embeds).norm(dim=1).argmin()
        return answer.text_embeds, found.tokens[place]

    vector, place = pooled(TEXT)
    same = {text: torch.allclose(vector, pooled(text)[0]) for text in (OTHER_END, SHORTER)}
    print(f"</s> is {ids['</s>']}, configuration {config.eos_token_id}: {TEXT} pooled at {place}; ", end="")
    print(", ".join(f"as {text}: {alike}" for text, alike in same.items()))


see(["<s>", "<pad>", "</s>"], 2)
see(["<s>", "<pad>", "</s>"], None)
see(["<s>", "</s>", "<pad>"], 1)
PYTHON
cd "$folder"
export HF_HOME="$folder/none" OMP_NUM_THREADS=1
"$folder/venv/bin/python" script.py 2>/dev/null | tee seen
cmp -s - seen <<'SEEN' || {
</s> is 2, configuration 2: 빨간 체크무늬 원피스 pooled at 체크무늬; as 빨간 체크무늬 한복: True, as 빨간 체크무늬: True
</s> is 2, configuration 49407: 빨간 체크무늬 원피스 pooled at <s>; as 빨간 체크무늬 한복: True, as 빨간 체크무늬: True
</s> is 1, configuration 1: 빨간 체크무늬 원피스 pooled at </s>; as 빨간 체크무늬 한복: False, as 빨간 체크무늬: False
SEEN
  echo "the behaviour has changed" >&2
  exit 1
}
