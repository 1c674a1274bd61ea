"""The commands of `python -m textile`, a file each: `add(commands)` describes one to argparse, `run` does it."""
