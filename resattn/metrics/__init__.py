"""Quality measures, each with its unit, direction, range and source."""
