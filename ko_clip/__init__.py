"""Korean-English text encoders that stand in for a CLIP text encoder, distilled without pictures."""
