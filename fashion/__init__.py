"""The drawn domain: fashion and hanbok illustration with the truth about every garment, in Korean and English."""
