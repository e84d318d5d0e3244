"""The resumable trainer: torch only, so that it runs where rasterio and OpenCV are absent."""
