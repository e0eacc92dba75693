"""What makes the denoiser: samples, losses, training, adaptation and export."""
