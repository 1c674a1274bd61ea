"""Korean text itself, no models: Unicode form and cleaning, search keys, jamo, particles, word replacement.

Nothing heavy is imported here: the morphological analyser loads when `hangul.replacing` or `hangul.analyser` is used.
"""
