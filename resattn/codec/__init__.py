"""The `.rac` file: entropy coding, exact tiles, container (docs/formats.md has the bytes)."""
