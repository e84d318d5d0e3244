"""Files in, files out: the only package that touches rasterio, OpenCV and the disk."""
