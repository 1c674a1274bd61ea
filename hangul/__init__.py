"""Korean text itself, no models: Unicode form and cleaning, search keys, jamo, particles."""
