"""Korean text itself, no models: Unicode form and cleaning, search keys, jamo, particles, word replacement; and the
files that it comes in (`hangul.files`, `hangul.rows`): encodings, names in NFD, tables of shops and offices.

Nothing heavy is imported here: the morphological analyser loads when `hangul.replacing` or `hangul.analyser` is used.
"""
