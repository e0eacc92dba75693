"""The UDCA-Net denoiser."""
