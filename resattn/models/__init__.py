"""Networks, composed from mixers; none defines attention of its own."""
