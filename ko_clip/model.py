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

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPooling

from ko_clip.layers import Backbone, Head, HubBackbone, SlotDecoder
from ko_clip.model_config import HeadSpec, KoClipConfig
from ko_clip.ragged import Ragged

__all__ = ["HeadOutput", "HeadSpec", "KoClipConfig", "KoClipModel", "KoClipModelWithProjection"]


@dataclass
class HeadOutput:
    """states (batch, slots asked for, dim) and pooled (batch, pooled), where the head has them."""

    states: Tensor | None = None
    pooled: Tensor | None = None


class KoClipModel(PreTrainedModel):
    """The student. Called with ids alone it answers as a CLIP text encoder does: `config.view` names the head."""

    config_class = KoClipConfig
    base_model_prefix = "ko_clip"
    main_input_name = "input_ids"

    def __init__(self, config: KoClipConfig) -> None:
        super().__init__(config)
        self.backbone: HubBackbone | Backbone = HubBackbone(config) if config.backbone else Backbone(config)
        specs = config.head_specs()
        self.pooled_names = [name for name, spec in specs.items() if spec.pooled]
        self.decoder = SlotDecoder(config, config.slots + len(self.pooled_names))
        self.heads = nn.ModuleDict({name: Head(spec, config, self.backbone.bag_width) for name, spec in specs.items()})
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

    def head(self, name: str) -> Head:
        """One head by its name; raises KeyError."""
        head = self.heads[name]
        assert isinstance(head, Head)
        return head

    def mask(self, input_ids: Tensor) -> Tensor:
        """1 where a token is, 0 where padding is: (batch, tokens) bool. Stock pipelines hand none over."""
        return input_ids != self.config.pad_token_id

    def encode(
        self,
        input_ids: Tensor,
        heads: Sequence[str] | None = None,
        slots: Tensor | None = None,
        token_weights: Tensor | None = None,
        begins: Tensor | None = None,
    ) -> dict[str, HeadOutput]:
        """What each named head says. `slots` (k,): only these slots (all by default), in this order; (batch, k): other
        ones for every row, where -1 asks for nothing and what is said there means nothing.

        `token_weights` (batch, tokens): slots that read a token of weight w are scaled by w in the share of their
        attention, and the size of the states as a whole is kept, as weighting in other studios does.

        `begins` (batch, tokens) bool: which tokens begin a word (`tokenizer.Encoded.begins`), for a head whose words
        are pairs of syllables too; without it they are those of a text without blanks.
        """
        names = list(heads) if heads is not None else list(self.heads)
        longest = max(1, int(self.mask(input_ids).sum(1).max()))  # stock pipelines pad to 77 whatever the limit
        input_ids, begins = input_ids[:, :longest], None if begins is None else begins[:, :longest]
        rows = Ragged(self.mask(input_ids))
        memory, bag = self.backbone(input_ids, rows)  # (total, width), (batch, bag width)
        pooled, asked = self._queries(names, slots, input_ids)
        queries = torch.cat([pooled, asked], dim=1)
        places = Ragged(queries >= 0)
        which, weighted = places.pack(queries), token_weights is not None
        read, attention = self.decoder(memory, rows, places, which, weighted)  # (slots and pooled asked for, width)
        read, which = read[: places.total], which[: places.total]
        scale = None
        if token_weights is not None:
            assert attention is not None
            scale = torch.einsum("bqt,bt->bq", attention[:, pooled.shape[1] :], token_weights[:, :longest])
        blank = rows.mask.sum(1) <= 2  # only begin and end
        empty = blank if bool(blank.any()) else None
        summary = read[which >= self.config.slots].unflatten(0, pooled.shape)  # (batch, pooled heads, width)
        spoken = (which < self.config.slots).nonzero()[:, 0]
        read, which, places = read.index_select(0, spoken), which[spoken], Ragged(asked >= 0)
        found, pooled_at = {}, 0
        for name in names:
            head = self.head(name)
            found[name] = output = HeadOutput()
            if head.spec.dim:
                output.states = head.sequence(read, which, places, empty, scale)
            if head.spec.pooled:
                said = head.pool(summary[:, pooled_at], bag, empty, input_ids, begins)
                output.pooled, pooled_at = said, pooled_at + 1
        return found

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        heads: Sequence[str] | None = None,
        slots: Tensor | None = None,
    ) -> BaseModelOutputWithPooling | dict[str, HeadOutput]:
        """As CLIPTextModel, for the head of `config.view`; with `heads` named, as `encode` (training uses this).

        The mask comes from the ids, so `attention_mask` is accepted and not needed.
        """
        if heads is not None:
            return self.encode(input_ids, heads, slots)
        found = self.encode(input_ids, [self.config.view])[self.config.view]
        return BaseModelOutputWithPooling(last_hidden_state=found.states, pooler_output=found.pooled)

    def _queries(self, names: Sequence[str], slots: Tensor | None, input_ids: Tensor) -> tuple[Tensor, Tensor]:
        """Numbers of the decoder's queries for every row: the pooled ones (batch, p), and the slots (batch, k)."""
        device, rows = input_ids.device, len(input_ids)
        if not any(self.head(name).spec.dim for name in names):
            slots = torch.arange(0, device=device)
        elif slots is None:
            slots = torch.arange(self.config.slots, device=device)
        pooled = [self.config.slots + self.pooled_names.index(n) for n in names if n in self.pooled_names]
        return torch.tensor(pooled, device=device, dtype=torch.long).expand(rows, -1), slots.expand(rows, -1)


class KoClipModelWithProjection(KoClipModel):
    """The same weights, answering as CLIPTextModelWithProjection: text_embeds first, states as hidden_states[-2]."""

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None, **kwargs) -> ProjectionOutput:  # type: ignore[override]
        specs = self.config.head_specs()
        name = self.config.view if specs[self.config.view].pooled else "refiner"
        found = self.encode(input_ids, [name])[name]
        return ProjectionOutput(found.pooled, (found.states, found.states))


class ProjectionOutput(tuple):
    """(text_embeds,) with `.text_embeds` (batch, p) and `.hidden_states`, of which [-2] is what SDXL reads."""

    text_embeds: Tensor | None
    hidden_states: tuple[Tensor | None, ...]

    def __new__(cls, text_embeds: Tensor | None, hidden_states: tuple[Tensor | None, ...]) -> ProjectionOutput:
        made = super().__new__(cls, (text_embeds,))
        made.text_embeds, made.hidden_states = text_embeds, hidden_states
        return made


AutoConfig.register("ko_clip", KoClipConfig, exist_ok=True)
AutoModel.register(KoClipConfig, KoClipModel, exist_ok=True)
