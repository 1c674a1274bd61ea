"""Write tiny random weights of `textile`'s two networks, in the files that the loaders read.

Shapes, seams, seeds and colours do not depend on the values of weights; what a pattern shows does.
"""

from __future__ import annotations

from pathlib import Path

import torch

from textile.pattern_network import PatternNetwork, PatternShape
from textile.patterns import PatternGenerator
from textile.segmentation import GarmentSegmenter
from textile.segmentation_network import SegmentationNetwork


def write_random_textile(folder: Path, seed: int = 0) -> Path:
    """Write generator and segmenter into `folder` and return it."""
    torch.manual_seed(seed)
    network = PatternNetwork(PatternShape(code=8, basis=8, forms=2, rank=2, decoder=8, threads=4))
    for value in (*network.parameters(), *network.mixture.buffers(), *network.weave.buffers()):
        if value.ndim > 1 and value is not network.mixture.share:
            torch.nn.init.normal_(value, std=0.5 / value[0].numel() ** 0.25)
    PatternGenerator(network).save(folder, {"step": 0})
    GarmentSegmenter(SegmentationNetwork((8, 8, 16, 16))).save(folder, {"step": 0})
    return folder
