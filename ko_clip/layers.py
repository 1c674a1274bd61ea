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

    def forward(self, hidden: Tensor, memory: Tensor, rows: Ragged, keys: Ragged) -> Tensor:
        """(total, width): what stands in `rows` reads the memory that stands in `keys`."""
        return self._finish(hidden, _attend(*self._project(hidden, memory, rows, keys), _shown(keys)), rows)

    def forward_with_weights(
        self, hidden: Tensor, memory: Tensor, rows: Ragged, keys: Ragged
    ) -> tuple[Tensor, Tensor]:
        """As forward, with the attention averaged over heads (batch, queries, tokens)."""
        query, key, value = self._project(hidden, memory, rows, keys)
        scores = (query @ key.transpose(-1, -2)) * query.shape[-1] ** -0.5
        weights = scores.masked_fill(~_shown(keys), float("-inf")).softmax(-1)
        return self._finish(hidden, weights @ value, rows), weights.mean(1)

    def _project(self, hidden: Tensor, memory: Tensor, rows: Ragged, keys: Ragged) -> tuple[Tensor, Tensor, Tensor]:
        normed = self.norm1(hidden)
        key, value = keys.pad(self.key_value(normed if memory is hidden else memory)).chunk(2, -1)
        return self._split(rows.pad(self.query(normed))), self._split(key), self._split(value)

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # (batch, heads, length, width / heads)

    def _finish(self, hidden: Tensor, read: Tensor, rows: Ragged) -> Tensor:
        drop = self.dropout if self.training else 0.0
        read = rows.pack(read.transpose(1, 2).flatten(2))
        hidden = hidden + functional.dropout(self.out(read), drop, drop > 0)
        inner = functional.gelu(self.up(self.norm2(hidden)), approximate="tanh")
        return hidden + functional.dropout(self.down(inner), drop, drop > 0)


def _shown(keys: Ragged) -> Tensor:
    return keys.mask[:, None, None, :]  # (batch, heads, queries, tokens)


def _attend(query: Tensor, key: Tensor, value: Tensor, keys: Tensor) -> Tensor:
    """Attention (batch, heads, queries, width / heads). torch's own in bfloat16 on a CPU takes five times as long to go
    back through as one in float32, and longer than this.
    """
    if query.dtype is not torch.bfloat16 or query.device.type != "cpu":
        return functional.scaled_dot_product_attention(query, key, value, attn_mask=keys)
    scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)
    return scores.masked_fill(~keys, float("-inf")).softmax(-1) @ value  # summed in float32 within


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

    def forward(self, memory: Tensor, keys: Ragged, which: Tensor, weights: bool) -> tuple[Tensor, Tensor | None]:
        """What the queries `which` (batch, asked for; -1: none) read, (batch, asked for, width), and where the last
        layer looked (batch, asked for, tokens) if `weights`.
        """
        rows, attention = Ragged(which >= 0), None
        hidden = self.queries[rows.pack(which)]
        for layer in self.layers:
            if weights:
                hidden, attention = layer.forward_with_weights(hidden, memory, rows, keys)
            else:
                hidden = layer(hidden, memory, rows, keys)
        return rows.pad(self.norm(hidden)), attention


def waves(positions: int, width: int) -> Tensor:
    """Sines and cosines of rising wavelength (positions, width), as in Vaswani et al. 2017, arXiv:1706.03762."""
    rates = torch.exp(torch.arange(0, width, 2) * (-4.0 / width * 2.302585))
    angles = torch.arange(positions)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1)[:, :width]


@torch.no_grad()
def _make_waves(parameter: nn.Parameter, size: float) -> None:
    if not getattr(parameter, "_is_hf_initialized", False):  # transformers marks what it has loaded
        parameter.copy_(waves(*parameter.shape))


def _calm(layers: nn.ModuleList) -> None:
    """Scale down what each layer adds, so that a deep sum begins no larger than its first term."""
    for layer in layers:
        for part in (layer.out, layer.down):
            nn.init.normal_(part.weight, std=(2 * len(layers) * part.in_features) ** -0.5)


class Head(nn.Module):
    """From what the slots read to one teacher's units. Mean, deviation and the empty prompt are the teacher's."""

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

    def reset(self) -> None:
        """Buffers as for a teacher not seen yet (transformers builds models without values first)."""
        for name, buffer in self.named_buffers(recurse=False):
            nn.init.constant_(buffer, 1.0 if name.endswith("deviation") else 0.0)

    def sequence(self, read: Tensor, slots: Tensor | None, empty: Tensor, scale: Tensor | None) -> Tensor:
        """(batch, slots, dim) in the teacher's units."""
        mean = self.mean if slots is None else self.mean[slots]
        return self.finish(mean + self.deviation * self.states(read), slots, empty, scale)

    def finish(self, states: Tensor, slots: Tensor | None, empty: Tensor, scale: Tensor | None) -> Tensor:
        """Weights written in the prompt, and the teacher's own answer to an empty one."""
        if scale is not None:
            weighted = states * scale[..., None]
            states = weighted * (_size(states) / _size(weighted).clamp_min(1e-6))
        kept = self.empty if slots is None else self.empty[slots]
        use = empty[:, None, None] & (self.knows_empty > 0)
        return torch.where(use, kept.to(states.dtype), states)

    def pool(self, read: Tensor, bag: Tensor, empty: Tensor) -> Tensor:
        """(batch, pooled) in the teacher's units, of unit length where the head says so."""
        pooled = self.pooled_mean + self.pooled_deviation * self.pooled(torch.cat([read, bag], -1))
        pooled = self.keep_empty(pooled, empty)
        return functional.normalize(pooled, dim=-1) if self.spec.unit else pooled

    def keep_empty(self, pooled: Tensor, empty: Tensor) -> Tensor:
        use = empty[:, None] & (self.knows_pooled_empty > 0)
        return torch.where(use, self.pooled_empty.to(pooled.dtype), pooled)


def _size(states: Tensor) -> Tensor:
    return states.square().mean((1, 2), keepdim=True).sqrt()
