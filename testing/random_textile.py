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
    network = PatternNetwork(PatternShape(code=8, widths=(8, 16), decoder=8))
    for parameter in network.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.3 / parameter[0].numel() ** 0.5)
    PatternGenerator(network).save(folder, {"step": 0})
    GarmentSegmenter(SegmentationNetwork((8, 8, 16, 16))).save(folder, {"step": 0})
    return folder
