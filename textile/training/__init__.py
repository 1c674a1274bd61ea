"""What the networks of `textile` learn from and how: drawn and real cloth, pictures with masks, three trainings."""
