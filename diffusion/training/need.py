"""How much oftener than others a scene is met in training, by how badly its patterns are drawn yet."""

from __future__ import annotations

import numpy as np

from fashion.scene import Scene

# How often a garment's pattern is met beside others: what is drawn right has little left to teach. Of single garments
# the base drew every solid, zigzag and dancheong one right when these were chosen, and half of cartoons and flowers.
NEED = {"solid": 0.25, "zigzag": 0.5, "dancheong": 0.5, "cartoon": 3.0, "floral": 3.0, "paisley": 3.0, "leaves": 2.0}


def need(scene: Scene) -> float:
    """The mean of what a scene's garments need; 1 where all are alike."""
    return float(np.mean([NEED.get(garment.pattern, 1.0) for garment in scene.garments]))
