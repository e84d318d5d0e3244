"""Small licensed samples, so that every command can be tried without network."""
