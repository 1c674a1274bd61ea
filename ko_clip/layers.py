"""The student's parts: what reads the prompt, the slots that read it, and the heads that say it in a teacher's units.

In: ids (batch, tokens) with their mask. Backbone: (total, width), packed (`ko_clip.ragged`). Slots: (batch, queries,
width). Heads: states (batch, slots, dim) or a pooled embedding (batch, pooled).
"""

from __future__ import annotations

from contextlib import nullcontext

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import AutoConfig, AutoModel

from ko_clip.model_config import HeadSpec, KoClipConfig
from ko_clip.ragged import Ragged
from ko_clip.syllables import LONGEST, keys_of


class Backbone(nn.Module):
    """Factorised embeddings (Lan et al. 2019, arXiv:1909.11942) and pre-norm layers that read both directions."""

    def __init__(self, config: KoClipConfig) -> None:
        super().__init__()
        self.tokens = nn.Embedding(config.vocab_size, config.embedding_size)
        self.up = nn.Linear(config.embedding_size, config.width)
        self.positions = nn.Embedding(config.max_tokens, config.width)
        self.layers = nn.ModuleList(
            [
                Layer(config.width, config.attention_heads, config.mlp_ratio, config.dropout)
                for _ in range(config.layers)
            ]
        )
        self.norm = nn.LayerNorm(config.width)
        self.bag_weight = nn.Embedding(config.vocab_size, 1)
        self.bag_width = config.embedding_size

    def reset(self) -> None:
        """Waves for positions, small first steps for layers; transformers calls this after the parts' own."""
        nn.init.zeros_(self.bag_weight.weight)
        _make_waves(self.positions.weight, 0.4)
        _calm(self.layers)

    def forward(self, input_ids: Tensor, rows: Ragged) -> tuple[Tensor, Tensor]:
        """(total, width) and, for the pooled heads, a weighted bag of the tokens (batch, embedding)."""
        tokens = rows.pack(input_ids)
        embedded = self.tokens(tokens)
        where = torch.arange(input_ids.shape[1], device=input_ids.device).expand_as(input_ids)
        hidden = self.up(embedded) + self.positions(rows.pack(where))
        for layer in self.layers:
            hidden = layer(hidden, hidden, rows, rows)
        weight = functional.softplus(self.bag_weight(tokens))
        bag = rows.pad(weight * embedded).sum(1) / rows.pad(weight).sum(1).clamp_min(1e-6)
        return self.norm(hidden), bag


class HubBackbone(nn.Module):
    """Any encoder that transformers' AutoModel opens (klue/roberta, XLM-R, a CLIP text tower) as the backbone."""

    def __init__(self, config: KoClipConfig) -> None:
        super().__init__()
        settings = dict(config.backbone or {})
        hub = AutoConfig.for_model(settings.pop("model_type"), **settings)
        self.encoder = AutoModel.from_config(hub)
        self.causal = hub.model_type == "clip_text_model"
        size = int(hub.hidden_size)
        self.fit = nn.Linear(size, config.width) if size != config.width else nn.Identity()
        self.bag_width = size

    def forward(self, input_ids: Tensor, rows: Ragged) -> tuple[Tensor, Tensor]:
        mask = rows.mask
        # A CLIP tower would read from left to right: a mask of four dimensions is taken as it is.
        keys = mask[:, None, None, :].expand(-1, 1, mask.shape[1], -1) if self.causal else mask.long()
        slow = mask.device.type == "cpu" and torch.is_autocast_enabled("cpu")  # as in `_attend`
        with sdpa_kernel(SDPBackend.MATH) if slow else nullcontext():
            hidden = self.encoder(input_ids=input_ids, attention_mask=keys).last_hidden_state
        weight = mask[..., None].to(hidden.dtype)
        bag = (weight * hidden).sum(1) / weight.sum(1).clamp_min(1)
        return self.fit(rows.pack(hidden)), bag


class Layer(nn.Module):
    """Attention to `memory` and an MLP, each after a norm; both packed. memory = hidden: self-attention."""

    def __init__(self, width: int, heads: int, mlp_ratio: int, dropout: float) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"width {width} is not a multiple of {heads} attention heads")
        self.heads, self.dropout = heads, dropout
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query, self.key_value, self.out = (
            nn.Linear(width, width),
            nn.Linear(width, 2 * width),
            nn.Linear(width, width),
        )
        self.up, self.down = nn.Linear(width, mlp_ratio * width), nn.Linear(mlp_ratio * width, width)

    def forward(
        self, hidden: Tensor, memory: Tensor, rows: Ragged, keys: Ragged, query: Tensor | None = None
    ) -> Tensor:
        """(total, width): what stands in `rows` reads the memory that stands in `keys`. `query`: `ask`ed already."""
        query, key_value = self._project(hidden, memory, query)
        parts = zip(rows.pad_parts(query), keys.pad_parts(key_value), keys.parts, strict=True)
        read = [_attend(*self._split(asks, says), part.mask[:, None, None, :]) for asks, says, part in parts]
        return self._finish(hidden, rows.pack_parts([_together(each) for each in read]))

    def forward_with_weights(
        self, hidden: Tensor, memory: Tensor, rows: Ragged, keys: Ragged, query: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """As forward, with the attention averaged over heads (batch, queries, tokens)."""
        query, key_value = self._project(hidden, memory, query)
        query, key, value = self._split(rows.pad(query), keys.pad(key_value))
        scores = (query @ key.transpose(-1, -2)) * query.shape[-1] ** -0.5
        weights = scores.masked_fill(~keys.mask[:, None, None, :], float("-inf")).softmax(-1)
        return self._finish(hidden, rows.pack(_together(weights @ value))), weights.mean(1)

    def ask(self, hidden: Tensor) -> Tensor:
        """What each position asks the memory for, (total, width)."""
        return self.query(self.norm1(hidden))

    def _project(self, hidden: Tensor, memory: Tensor, query: Tensor | None) -> tuple[Tensor, Tensor]:
        if memory is not hidden:
            return self.ask(hidden) if query is None else query, self.key_value(memory)
        normed = self.norm1(hidden)
        return self.query(normed), self.key_value(normed)

    def _split(self, query: Tensor, key_value: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Query, key and value by head: (batch, heads, length, width / heads)."""
        key, value = key_value.chunk(2, -1)
        query, key, value = (x.unflatten(-1, (self.heads, -1)).transpose(1, 2) for x in (query, key, value))
        return query, key, value

    def _finish(self, hidden: Tensor, read: Tensor) -> Tensor:
        drop = self.dropout if self.training else 0.0
        hidden = hidden + functional.dropout(self.out(read), drop, drop > 0)
        inner = functional.gelu(self.up(self.norm2(hidden)), approximate="tanh")
        return hidden + functional.dropout(self.down(inner), drop, drop > 0)


def _together(read: Tensor) -> Tensor:
    return read.transpose(1, 2).flatten(2)  # (batch, queries, width)


def _attend(query: Tensor, key: Tensor, value: Tensor, keys: Tensor) -> Tensor:
    """Attention (batch, heads, queries, width / heads); `keys` (batch, 1, 1, tokens). On a CPU in float32 whatever the
    rest is in: torch's own in bfloat16 takes five times as long to go back through.
    """
    if key.device.type == "cpu":
        query, key, value = query.float(), key.float(), value.float()
    with torch.autocast("cpu", enabled=False):
        return functional.scaled_dot_product_attention(query, key, value, attn_mask=keys)


class SlotDecoder(nn.Module):
    """Learned queries that read the encoder; no query reads another."""

    def __init__(self, config: KoClipConfig, queries: int) -> None:
        super().__init__()
        self.queries = nn.Parameter(torch.empty(queries, config.width))
        shape = (config.width, config.attention_heads, config.decoder_mlp_ratio, config.dropout)
        self.layers = nn.ModuleList([Layer(*shape) for _ in range(config.decoder_layers)])
        self.norm = nn.LayerNorm(config.width)

    def reset(self) -> None:
        """Queries begin as the waves of the encoder's positions, small: what a slot reads outweighs where it is."""
        _make_waves(self.queries, 0.1)
        _calm(self.layers)

    def forward(
        self, memory: Tensor, keys: Ragged, rows: Ragged, which: Tensor, weights: bool
    ) -> tuple[Tensor, Tensor | None]:
        """What the queries `which` (total, numbers) that stand in `rows` read, (total, width), and where the last layer
        looked (batch, asked for, tokens) if `weights`.
        """
        hidden = functional.embedding(which, self.queries)
        attention: Tensor | None = None
        layers = [layer for layer in self.layers if isinstance(layer, Layer)]  # all are: torch's list forgets it
        # Before anything is read a query is the same in every row: it is asked once, and not once a row.
        first = functional.embedding(which, layers[0].ask(self.queries).float()).to(memory.dtype)
        for number, layer in enumerate(layers):
            query = None if number else first
            if weights:
                hidden, attention = layer.forward_with_weights(hidden, memory, rows, keys, query)
            else:
                hidden = layer(hidden, memory, rows, keys, query)
        return self.norm(hidden), attention


def waves(positions: int, width: int) -> Tensor:
    """Sines and cosines of rising wavelength (positions, width), as in Vaswani et al. 2017, arXiv:1706.03762."""
    rates = torch.exp(torch.arange(0, width, 2) * (-4.0 / width * 2.302585))
    angles = torch.arange(positions)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1)[:, :width]


@torch.no_grad()
def _make_waves(parameter: Tensor, size: float) -> None:
    if not getattr(parameter, "_is_hf_initialized", False):  # transformers marks what it has loaded
        parameter.copy_(waves(*parameter.shape))


def _calm(layers: nn.ModuleList) -> None:
    """Scale down what each layer adds, so that a deep sum begins no larger than its first term."""
    for layer in layers:
        assert isinstance(layer, Layer)
        for part in (layer.out, layer.down):
            nn.init.normal_(part.weight, std=(2 * len(layers) * part.in_features) ** -0.5)


class Head(nn.Module):
    """From what the slots read to one teacher's units. Mean, deviation and the answer to an empty prompt (`empty`
    (batch,): which rows are; None: none is) are the teacher's.
    """

    mean: Tensor
    empty: Tensor
    deviation: Tensor
    knows_empty: Tensor
    pooled_mean: Tensor
    pooled_empty: Tensor
    pooled_deviation: Tensor
    knows_pooled_empty: Tensor
    words: Tensor
    word_meanings: Tensor
    word_keys: Tensor
    word_syllables: Tensor

    def __init__(self, spec: HeadSpec, config: KoClipConfig, bag_width: int) -> None:
        super().__init__()
        self.spec = spec
        if spec.dim:
            self.states = nn.Linear(config.width, spec.dim)
            for name in ("mean", "empty"):
                self.register_buffer(name, torch.zeros(config.slots, spec.dim))
            self.register_buffer("deviation", torch.ones(spec.dim))
            self.register_buffer("knows_empty", torch.zeros(1))
        if spec.pooled:
            self.pooled = nn.Linear(config.width + bag_width, spec.pooled)
            for name in ("pooled_mean", "pooled_empty"):
                self.register_buffer(name, torch.zeros(spec.pooled))
            self.register_buffer("pooled_deviation", torch.ones(spec.pooled))
            self.register_buffer("knows_pooled_empty", torch.zeros(1))
        if spec.words:  # fitted in closed form by `ko_clip.lexical`; nothing until then
            words = torch.zeros(config.vocab_size, spec.words)
            if spec.grams:  # rows of whole numbers, by key; what scales them lies in the meanings
                halved = spec.word_bits == 4  # two numbers to a byte, the first in its lower half
                words = torch.zeros(spec.grams, spec.words // 2 if halved else spec.words, dtype=torch.int8)
                self.register_buffer("word_keys", torch.zeros(spec.grams, dtype=torch.int32))  # rising
                self.register_buffer("word_syllables", torch.zeros(config.vocab_size, LONGEST, dtype=torch.int16))
            self.register_buffer("words", words)
            self.register_buffer("word_meanings", torch.zeros(spec.words, spec.pooled))

    def reset(self) -> None:
        """Buffers as for a teacher not seen yet (transformers builds models without values first)."""
        for name, buffer in self.named_buffers(recurse=False):
            nn.init.constant_(buffer, 1.0 if name.endswith("deviation") else 0.0)

    def sequence(self, read: Tensor, slots: Tensor, rows: Ragged, empty: Tensor | None, scale: Tensor | None) -> Tensor:
        """(batch, slots, dim) in the teacher's units, of what was read (total, width) at `slots` (total,) in `rows`."""
        states = rows.pad(self.mean[slots] + self.deviation * self.states(read))
        if scale is not None:  # weights written in the prompt
            weighted = states * scale[..., None]
            states = weighted * (_size(states) / _size(weighted).clamp_min(1e-6))
        if empty is None:
            return states
        use = empty[:, None, None] & (self.knows_empty > 0)
        return torch.where(use, rows.pad(self.empty[slots]).to(states.dtype), states)

    def pool(
        self, read: Tensor, bag: Tensor, empty: Tensor | None, input_ids: Tensor, begins: Tensor | None = None
    ) -> Tensor:
        """(batch, pooled) in the teacher's units, of unit length where the head says so.

        Where the words of a text (`input_ids`, and which `begins` a word, both (batch, tokens)) say it too, most is
        theirs: they are told from few sentences what a network is not, and the network says what they cannot, which
        word belongs to which.
        """
        pooled = self.pooled_mean + self.pooled_deviation * self.pooled(torch.cat([read, bag], -1))
        if empty is not None:
            use = empty[:, None] & (self.knows_pooled_empty > 0)
            pooled = torch.where(use, self.pooled_empty.to(pooled.dtype), pooled)
        if not self.spec.unit:
            return pooled
        pooled = functional.normalize(pooled, dim=-1)
        if self.spec.words and not self.training:  # the network learns to say all of it, as if there were no words
            spoken = self.sum_words(input_ids, begins).to(self.word_meanings.dtype) @ self.word_meanings
            spoken = functional.normalize(spoken, dim=-1).to(pooled.dtype)
            pooled = torch.lerp(pooled, spoken, self.spec.words_share)
            pooled = functional.normalize(pooled, dim=-1)
        return pooled

    def sum_words(self, input_ids: Tensor, begins: Tensor | None = None) -> Tensor:
        """The sum of a text's words, (batch, words); where they are whole numbers, the same in every batch."""
        if not self.spec.grams:
            return functional.embedding(input_ids, self.words).sum(1)
        keys, rows = keys_of(input_ids, self.word_syllables, begins)
        places = torch.searchsorted(self.word_keys, keys).clamp_max(len(self.word_keys) - 1)
        known = self.word_keys[places] == keys
        total = torch.zeros(len(input_ids), self.spec.words, dtype=torch.int32, device=input_ids.device)
        numbers = self.words[places[known]].int()
        if self.spec.word_bits == 4:
            low, high = ((numbers & 15) ^ 8) - 8, numbers >> 4  # each has its own sign
            numbers = torch.stack([low, high], dim=2).flatten(1)
        return total.index_add_(0, rows[known], numbers)


def _size(states: Tensor) -> Tensor:
    return states.square().mean((1, 2), keepdim=True).sqrt()
