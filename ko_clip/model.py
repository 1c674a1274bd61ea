"""The student: one bidirectional encoder over Korean-English tokens, and slots that read it.

In: ids (batch, tokens), of any length up to `max_tokens`. Out, per head: hidden states (batch, 77, dim) in the
teacher's slots, a pooled embedding (batch, pooled), or both.

A causal encoder over a verb-final sentence cannot know at token k what English says at slot k. So the encoder reads
the sentence in both directions, and 77 learned queries, one per slot of the teacher, read the encoder by
cross-attention (as Perceiver IO does, arXiv:2107.14795). No slot reads another: any subset of slots costs only its
own part, which makes training quick and leaves the rest to the encoder, which is short.
A head is a linear map from what the slots read to the teacher's width, in units of the teacher's own mean and
deviation; the empty prompt, on which guidance rests, is kept as the teacher said it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoConfig, AutoModel, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPooling

from ko_clip.tower import Tower


@dataclass(frozen=True)
class HeadSpec:
    """What one head gives and whom it reproduces. `dim` 0: no sequence; `pooled` 0: no pooled embedding.

    `output`: which hidden states of the teacher; a student with a tower takes them from there.
    """

    dim: int = 0
    pooled: int = 0
    unit: bool = False
    teacher: str = ""
    output: str = ""

    def __post_init__(self) -> None:
        if self.dim < 0 or self.pooled < 0 or not (self.dim or self.pooled):
            raise ValueError(f"a head needs a sequence (dim) or a pooled embedding, not dim {self.dim}, {self.pooled}")


@dataclass
class HeadOutput:
    """states (batch, slots asked for, dim) and pooled (batch, pooled), where the head has them."""

    states: Tensor | None = None
    pooled: Tensor | None = None


class KoClipConfig(PretrainedConfig):
    """Sizes, heads and token ids.

    `backbone`: the configuration of a Hugging Face encoder in place of ours. `words`: size of the teacher's
    vocabulary where the slots learn to name the teacher's tokens. `tower`: the configuration of the teacher's text
    tower where its layers stand on the slots (`ko_clip.tower`); `sharpness` of the mixtures that they read.
    """

    model_type = "ko_clip"

    def __init__(
        self, vocab_size: int = 12000, embedding_size: int = 96, width: int = 192, layers: int = 5,
        attention_heads: int = 6, mlp_ratio: int = 4, decoder_layers: int = 2, decoder_mlp_ratio: int = 2,
        dropout: float = 0.0, max_tokens: int = 128, slots: int = 77, heads: Mapping[str, dict] | None = None,
        backbone: dict | None = None, words: int = 0, tower: dict | None = None, sharpness: float = 4.0,
        view: str = "base", pad_token_id: int = 0, bos_token_id: int = 1,
        eos_token_id: int = 2, **kwargs,
    ) -> None:  # fmt: skip
        super().__init__(**kwargs)
        self.pad_token_id, self.bos_token_id, self.eos_token_id = pad_token_id, bos_token_id, eos_token_id
        self.vocab_size, self.embedding_size, self.width, self.layers = vocab_size, embedding_size, width, layers
        self.attention_heads, self.mlp_ratio, self.dropout = attention_heads, mlp_ratio, dropout
        self.decoder_layers, self.decoder_mlp_ratio = decoder_layers, decoder_mlp_ratio
        self.max_tokens, self.slots, self.backbone, self.view = max_tokens, slots, backbone, view
        self.words, self.tower, self.sharpness = words, tower, sharpness
        self.heads = dict(heads) if heads else {"base": {"dim": 64}}

    @property
    def hidden_size(self) -> int:
        """Width of what the view gives, as a stock pipeline asks for it."""
        return self.head_specs()[self.view].dim

    def head_specs(self) -> dict[str, HeadSpec]:
        return {name: HeadSpec(**spec) for name, spec in self.heads.items()}


class KoClipModel(PreTrainedModel):
    """The student. Called with ids alone it answers as a CLIP text encoder does: `config.view` names the head."""

    config_class = KoClipConfig
    base_model_prefix = "ko_clip"
    main_input_name = "input_ids"

    def __init__(self, config: KoClipConfig) -> None:
        super().__init__(config)
        self.backbone = HubBackbone(config) if config.backbone else Backbone(config)
        specs = config.head_specs()
        self.tower = Tower(config.tower, config.sharpness) if config.tower else None
        self.tower_names = [name for name, spec in specs.items() if config.tower and spec.output]
        self.pooled_names = [name for name, spec in specs.items() if spec.pooled and name not in self.tower_names]
        self.decoder = SlotDecoder(config, config.slots + len(self.pooled_names))
        self.heads = nn.ModuleDict({name: Head(spec, config, self.backbone.bag_width) for name, spec in specs.items()})
        self.words = nn.Linear(config.width, config.words) if config.words else None
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        """Every map keeps the size of what it is given; what a layer adds begins small; positions are waves."""
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=module.in_features**-0.5)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight)
        elif isinstance(module, nn.LayerNorm):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)
        elif isinstance(module, (Backbone, SlotDecoder, Head)):
            module.reset()

    def mask(self, input_ids: Tensor) -> Tensor:
        """1 where a token is, 0 where padding is: (batch, tokens) bool. Stock pipelines hand none over."""
        return input_ids != self.config.pad_token_id

    def encode(
        self,
        input_ids: Tensor,
        heads: Sequence[str] | None = None,
        slots: Tensor | None = None,
        token_weights: Tensor | None = None,
        words: bool = False,
    ) -> dict[str, HeadOutput]:
        """What each named head says. `slots`: only these slots (all by default), in this order.

        `words`: under "words" also the logits of the teacher's token at each slot (batch, slots, vocabulary).

        `token_weights` (batch, tokens): slots that read a token of weight w are scaled by w in the share of their
        attention, and the size of the states as a whole is kept, as weighting in other studios does.
        """
        names = list(heads) if heads is not None else list(self.heads)
        longest = max(1, int(self.mask(input_ids).sum(1).max()))  # stock pipelines pad to 77 whatever the limit
        input_ids = input_ids[:, :longest]
        token_weights = None if token_weights is None else token_weights[:, :longest]
        mask = self.mask(input_ids)
        memory, bag = self.backbone(input_ids, mask)  # (batch, tokens, width), (batch, bag width)
        through = [name for name in names if name in self.tower_names]
        asked = slots if not through else None  # the tower reads every slot
        read, number, attention = self._read(memory, mask, names, asked, words, token_weights is not None)
        scale = None
        if token_weights is not None:
            scale = torch.einsum("bqt,bt->bq", attention[:, :number], token_weights)
        empty = mask.sum(1) <= 2  # only begin and end
        logits = self.words(read[:, :number]) if self.words is not None and (words or through) else None
        tower = self.tower(logits) if through else None
        found, pooled_at = {}, number
        for name in names:
            head = self.heads[name]
            if name in through:
                states = head.finish(tower.states(head.spec.output), None, empty, scale)
                pooled = head.keep_empty(tower.pooled, empty) if head.spec.pooled else None
                found[name] = HeadOutput(states if slots is None else states[:, slots], pooled)
                continue
            states = head.sequence(read[:, :number], slots, empty, scale) if head.spec.dim else None
            pooled = None
            if head.spec.pooled:
                pooled, pooled_at = head.pool(read[:, pooled_at], bag, empty), pooled_at + 1
            found[name] = HeadOutput(states, pooled)
        if words and logits is not None:
            found["words"] = HeadOutput(logits)
        return found

    def _read(
        self, memory: Tensor, mask: Tensor, names: Sequence[str], slots: Tensor | None, words: bool, weights: bool
    ) -> tuple[Tensor, int, Tensor | None]:
        """What the slots and the pooled queries read, how many slots are among them, and where they looked."""
        wanted = self._queries(names, slots, words, memory.device)
        read, attention = self.decoder(memory, mask, wanted, weights)  # (batch, queries, width)
        return read, len(wanted) - sum(name in self.pooled_names for name in names), attention

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        heads: Sequence[str] | None = None,
        slots: Tensor | None = None,
        words: bool = False,
    ) -> BaseModelOutputWithPooling | dict[str, HeadOutput]:
        """As CLIPTextModel, for the head of `config.view`; with `heads` named, as `encode` (training uses this).

        The mask comes from the ids, so `attention_mask` is accepted and not needed.
        """
        if heads is not None:
            return self.encode(input_ids, heads, slots, words=words)
        found = self.encode(input_ids, [self.config.view])[self.config.view]
        return BaseModelOutputWithPooling(last_hidden_state=found.states, pooler_output=found.pooled)

    def _queries(self, names: Sequence[str], slots: Tensor | None, words: bool, device: torch.device) -> Tensor:
        """Indices of the decoder's queries: the slots first, if anything needs them, then the pooled ones."""
        if not words and not any(self.heads[name].spec.dim for name in names):
            slots = torch.arange(0, device=device)
        elif slots is None:
            slots = torch.arange(self.config.slots, device=device)
        pooled = [self.config.slots + self.pooled_names.index(n) for n in names if n in self.pooled_names]
        return torch.cat([slots.to(device), torch.tensor(pooled, device=device, dtype=torch.long)])


class KoClipModelWithProjection(KoClipModel):
    """The same weights, answering as CLIPTextModelWithProjection: text_embeds first, states as hidden_states[-2]."""

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None, **kwargs) -> ProjectionOutput:  # type: ignore[override]
        specs = self.config.head_specs()
        name = self.config.view if specs[self.config.view].pooled else "refiner"
        found = self.encode(input_ids, [name])[name]
        return ProjectionOutput(found.pooled, (found.states, found.states))


class ProjectionOutput(tuple):
    """(text_embeds,) with `.text_embeds` (batch, p) and `.hidden_states`, of which [-2] is what SDXL reads."""

    def __new__(cls, text_embeds: Tensor, hidden_states: tuple[Tensor, ...]) -> ProjectionOutput:
        made = super().__new__(cls, (text_embeds,))
        made.text_embeds, made.hidden_states = text_embeds, hidden_states
        return made


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

    def forward(self, input_ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(batch, tokens, width) and, for the pooled heads, a weighted bag of the tokens (batch, embedding)."""
        embedded = self.tokens(input_ids)
        where = torch.arange(input_ids.shape[1], device=input_ids.device)
        hidden = self.up(embedded) + self.positions(where)
        keys = mask[:, None, None, :]  # (batch, heads, queries, tokens)
        for layer in self.layers:
            hidden = layer(hidden, hidden, keys)
        weight = functional.softplus(self.bag_weight(input_ids)) * mask[..., None]
        bag = (weight * embedded).sum(1) / weight.sum(1).clamp_min(1e-6)
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

    def forward(self, input_ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        # A CLIP tower would read from left to right: a mask of four dimensions is taken as it is.
        keys = mask[:, None, None, :].expand(-1, 1, mask.shape[1], -1) if self.causal else mask.long()
        hidden = self.encoder(input_ids=input_ids, attention_mask=keys).last_hidden_state
        weight = mask[..., None].to(hidden.dtype)
        bag = (weight * hidden).sum(1) / weight.sum(1).clamp_min(1)
        return self.fit(hidden), bag


class Layer(nn.Module):
    """Attention to `memory` and an MLP, each after a norm. memory = hidden: self-attention."""

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

    def forward(self, hidden: Tensor, memory: Tensor, keys: Tensor) -> Tensor:
        query, key, value = self._project(hidden, memory)
        read = functional.scaled_dot_product_attention(query, key, value, attn_mask=keys)
        return self._finish(hidden, read)

    def forward_with_weights(self, hidden: Tensor, memory: Tensor, keys: Tensor) -> tuple[Tensor, Tensor]:
        """As forward, with the attention averaged over heads (batch, queries, tokens)."""
        query, key, value = self._project(hidden, memory)
        scores = (query @ key.transpose(-1, -2)) * query.shape[-1] ** -0.5
        weights = scores.masked_fill(~keys, float("-inf")).softmax(-1)
        return self._finish(hidden, weights @ value), weights.mean(1)

    def _project(self, hidden: Tensor, memory: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        normed = self.norm1(hidden)
        key, value = self.key_value(normed if memory is hidden else memory).chunk(2, -1)
        return self._split(self.query(normed)), self._split(key), self._split(value)

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)  # (batch, heads, length, width / heads)

    def _finish(self, hidden: Tensor, read: Tensor) -> Tensor:
        drop = self.dropout if self.training else 0.0
        hidden = hidden + functional.dropout(self.out(read.transpose(1, 2).flatten(2)), drop, drop > 0)
        inner = functional.gelu(self.up(self.norm2(hidden)), approximate="tanh")
        return hidden + functional.dropout(self.down(inner), drop, drop > 0)


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

    def forward(self, memory: Tensor, mask: Tensor, which: Tensor, weights: bool) -> tuple[Tensor, Tensor | None]:
        """(batch, queries asked for, width), and where the last layer looked (batch, queries, tokens) if asked."""
        hidden = self.queries[which].expand(memory.shape[0], -1, -1)
        keys, attention = mask[:, None, None, :], None
        for layer in self.layers:
            if weights:
                hidden, attention = layer.forward_with_weights(hidden, memory, keys)
            else:
                hidden = layer(hidden, memory, keys)
        return self.norm(hidden), attention


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
        tower = bool(config.tower and spec.output)  # then the numbers come from there
        if spec.dim:
            self.states = None if tower else nn.Linear(config.width, spec.dim)
            self._keep(config.slots, spec.dim, "" if tower else "mean", "empty")
            self.register_buffer("deviation", torch.ones(0 if tower else spec.dim))
        if spec.pooled:
            self.pooled = None if tower else nn.Linear(config.width + bag_width, spec.pooled)
            for name in ("pooled_mean", "pooled_empty"):
                self.register_buffer(name, torch.zeros(spec.pooled))
            self.register_buffer("pooled_deviation", torch.ones(spec.pooled))
            self.register_buffer("knows_pooled_empty", torch.zeros(1))

    def _keep(self, slots: int, dim: int, *names: str) -> None:
        for name in filter(None, names):
            self.register_buffer(name, torch.zeros(slots, dim))
        self.register_buffer("knows_empty", torch.zeros(1))

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


AutoConfig.register("ko_clip", KoClipConfig, exist_ok=True)
AutoModel.register(KoClipConfig, KoClipModel, exist_ok=True)
