"""Pansharpening by arithmetic: grids, registration, closed-form methods, adaptation to the scene.

The pieces, in the order a pipeline uses them::

    from resattn.fusion import classical, geometry, sensors
    from resattn.fusion.calibration import calibrate
    from resattn.fusion.scene import Scene

    # What the files say. `transform` is the affine of the georeference or None.
    pan_grid = geometry.ImageGrid(height, width, transform, crs)
    ms_grid = geometry.ImageGrid(ms_height, ms_width, ms_transform, ms_crs)
    grid = geometry.match(pan_grid, ms_grid)  # ItemError E320 … E325 if they do not fit

    # read_pan(window) -> ((H, W) float32, valid), read_ms(window) -> ((B, h, w) float32, valid);
    # windows lie inside the image. For arrays in memory: scene.from_arrays(pan, ms, grid).
    scene = Scene(grid, bands, read_pan, read_ms)
    gains = sensors.find("worldview-3").gains(bands)
    # Measured band shifts, and whether the pair was made by a camera at all; or Optics.of(gains).
    optics = calibrate(scene, gains).optics

    model = classical.fit("mtf-glp-reg", scene, optics, consistency=1.0)
    for window in windows:  # any tiling of PAN gives the same bits
        fused, valid = model.apply(scene, window)  # (B, H, W) float32, (H, W) bool
"""
