"""Fabric: patterns made on the spot by a generator, garments found in a picture, and a pattern laid on them.

Importing this package loads no network and no torch; `textile.patterns` and `textile.segmentation` do.
"""
