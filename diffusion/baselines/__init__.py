"""Simpler models that the diffusion pipeline is measured beside; no job kind asks for them."""
