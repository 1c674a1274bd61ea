"""Change words of a picture and keep the rest of it: see diffusion/editing/pipeline.py."""
