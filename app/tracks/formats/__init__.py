"""Label files, one module a format."""
