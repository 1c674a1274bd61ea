"""Builders of what tests and benchmarks start from: checkpoints and encoders with random weights, in real layouts."""
