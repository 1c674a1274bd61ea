"""The model card that goes with an encoder: what it is, from whom it learned, on what, how well it does."""

from __future__ import annotations

from collections.abc import Mapping

from ko_clip.recipe import Recipe


def model_card(recipe: Recipe, step: int, figures: Mapping[str, float]) -> str:
    """Markdown with the front matter of the Hugging Face Hub."""
    heads = "\n".join(
        f"| {name} | `{head.teacher}` | {head.output if head.kind == 'clip' else 'sentence embedding'} |"
        f" {'yes' if head.pooled or head.kind == 'sentence' else 'no'} |"
        for name, head in recipe.heads.items()
    )
    corpora = "\n".join(f"- {corpus.name} (weight {corpus.weight:g})" for corpus in recipe.corpora)
    results = "\n".join(f"| {name} | {value:.4f} |" for name, value in figures.items())
    return _CARD.format(heads=heads, corpora=corpora, results=results, step=step, seed=recipe.seed)


_CARD = """---
language: [ko, en]
library_name: transformers
tags: [text-encoder, clip, distillation, korean]
---
# Korean-English text encoder

Takes the place of a CLIP text encoder in a diffusion pipeline whose U-Net stays as it is: Korean or English in, the
teacher's hidden states out. Trained by distillation on text alone ({step} steps, seed {seed}) with `ko_clip`.

| head | teacher | hidden states | pooled |
|---|---|---|---|
{heads}

Corpora:

{corpora}

| held out | value |
|---|---|
{results}

It knows what its corpora and its teachers know; words beyond them give neighbours, not pictures.
Weights are float16 safetensors. Open with `ko_clip.encoder.PromptEncoder.load`.
"""
