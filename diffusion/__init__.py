"""Drawing in two stages with any checkpoint in the Hugging Face layout: see diffusion/pipeline.py and
load.py.
"""
