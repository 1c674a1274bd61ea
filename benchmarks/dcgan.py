"""A DCGAN of 64 px that is told what to draw: a category, or a caption's vector.

nz 100, Adam 2e-4 with beta1 0.5, BCE, weights of deviation 0.02 (Radford et al. 2015, arXiv:1511.06434). What is told
goes to both networks (Mirza & Osindero 2014, arXiv:1411.1784; of captions: Reed et al. 2016, arXiv:1605.05396).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

NZ, WIDTH, SIDE = 100, 64, 64
FILE = "dcgan.safetensors"
Batches = Callable[[int], tuple[Tensor, Tensor]]  # step → pictures (n, 3, 64, 64) in -1..1, and what is told (n, …)
Condition = Callable[[int], nn.Module]  # width → a module that gives (n, width) of what is told


class Generator(nn.Module):
    """z (n, 100) and what is told (n, …) → pictures (n, 3, 64, 64) in -1..1."""

    def __init__(self, condition: Condition) -> None:
        super().__init__()
        self.condition = condition(NZ)
        widths = (8 * WIDTH, 4 * WIDTH, 2 * WIDTH, WIDTH)
        layers: list[nn.Module] = [
            nn.ConvTranspose2d(2 * NZ, widths[0], 4, bias=False),
            nn.BatchNorm2d(widths[0]),
            nn.ReLU(True),
        ]
        for a, b in zip(widths, widths[1:], strict=False):
            layers += [nn.ConvTranspose2d(a, b, 4, 2, 1, bias=False), nn.BatchNorm2d(b), nn.ReLU(True)]
        self.body = nn.Sequential(*layers, nn.ConvTranspose2d(WIDTH, 3, 4, 2, 1), nn.Tanh())

    def forward(self, z: Tensor, told: Tensor) -> Tensor:
        return self.body(torch.cat([z, self.condition(told)], dim=1)[:, :, None, None])

    @torch.inference_mode()
    def sample(self, told: Tensor, seeds: Sequence[int]) -> Tensor:
        """A picture of each row of what is told, its z from its own seed."""
        z = torch.cat([torch.randn(1, NZ, generator=torch.Generator().manual_seed(seed)) for seed in seeds])
        return self(z, told)


class Discriminator(nn.Module):
    """Pictures and what is told → logits (n,)."""

    def __init__(self, condition: Condition) -> None:
        super().__init__()
        self.condition = condition(SIDE * SIDE)
        widths = (4, WIDTH, 2 * WIDTH, 4 * WIDTH, 8 * WIDTH)
        layers: list[nn.Module] = []
        for a, b in zip(widths, widths[1:], strict=False):
            layers += [
                nn.Conv2d(a, b, 4, 2, 1, bias=False),
                nn.BatchNorm2d(b) if a > 4 else nn.Identity(),
                nn.LeakyReLU(0.2, True),
            ]
        self.body = nn.Sequential(*layers, nn.Conv2d(8 * WIDTH, 1, 4))

    def forward(self, pictures: Tensor, told: Tensor) -> Tensor:
        plane = self.condition(told).view(-1, 1, SIDE, SIDE)
        return self.body(torch.cat([pictures, plane], dim=1)).flatten()


def train(condition: Condition, batches: Batches, minutes: float) -> tuple[Generator, int]:
    """Train for so many minutes of processor time, at least one step; the generator and the steps."""
    torch.manual_seed(0)
    generator, discriminator = Generator(condition), Discriminator(condition)
    for module in (*generator.modules(), *discriminator.modules()):
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0.0, 0.02)
    drawing, judging = (torch.optim.Adam(net.parameters(), 2e-4, betas=(0.5, 0.999)) for net in
                        (generator, discriminator))  # fmt: skip
    since, step = time.process_time(), 0
    while not step or time.process_time() - since < 60 * minutes:
        real, told = batches(step)
        fake = generator(torch.randn(len(real), NZ), told)
        judging.zero_grad()
        (_error(discriminator(real, told), 1.0) + _error(discriminator(fake.detach(), told), 0.0)).backward()
        judging.step()
        drawing.zero_grad()
        _error(discriminator(fake, told), 1.0).backward()
        drawing.step()
        step += 1
        if step % 20 == 0:
            print(f"step {step}, {(time.process_time() - since) / 60:.1f} minutes", flush=True)
    return generator.eval(), step


def _error(logits: Tensor, truth: float) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, truth))
