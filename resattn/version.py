"""The one place that holds the version; the build and the provenance tags read it from here."""

__version__ = "0.1.0"
