"""Enlarging images of any size and type by a network: values, borders, holes and exact size."""
