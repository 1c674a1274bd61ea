"""Training of the checkpoint that ships: autoencoder, base U-Net, refiner U-Net."""
