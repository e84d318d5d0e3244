"""Photographs and masks of any size become equal squares; what does not pair is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from resattn.errors import UserError
from resattn.io.image import write_image
from resattn.wound.dataset import read_photos


@pytest.fixture
def folders(tmp_path):
    images, masks = tmp_path / "images", tmp_path / "masks"
    images.mkdir()
    masks.mkdir()
    for name, (height, width) in {"a": (40, 90), "b": (20, 10)}.items():
        photo = np.full((3, height, width), 200, np.uint8)
        photo[0, : height // 2] = 100
        write_image(images / f"{name}.png", photo)
        mask = np.zeros((1, height, width), np.uint8)
        mask[0, : height // 2] = 255
        write_image(masks / f"{name}.png", mask)
    return tmp_path


def test_photographs_fit_a_square_with_their_masks(folders):
    photos = read_photos(folders, side=45)
    assert photos.images.shape == (2, 4, 45, 45)
    assert len(photos.sources) == 2
    wide, small = photos.images[:, 3]
    assert torch.equal(wide.amax(1).nonzero()[:, 0], torch.arange(10))  # 20 of 40 rows, halved
    assert wide[:10].all()
    assert small[:10, :10].all()
    assert small.sum() == 100  # not enlarged
    assert (photos.images[0, 0, :9] == 100).all()
    assert not photos.images[0, :3, 20:].any(), "black below the photograph"


def test_labels_is_another_name_for_masks(folders):
    (folders / "masks").rename(folders / "labels")
    assert int(read_photos(folders, side=45).images[1, 3].sum()) == 100


def test_what_does_not_pair_is_refused(folders):
    masks = folders / "masks"
    write_image(masks / "a.png", np.zeros((1, 7, 9), np.uint8), overwrite=True)
    with pytest.raises(UserError, match=r"a\.png has 90×40 pixels, its mask 9×7"):
        read_photos(folders)
    (masks / "b.png").unlink()
    with pytest.raises(UserError, match=r"1 photographs have no mask in .*first is b"):
        read_photos(folders)
    with pytest.raises(UserError, match="is not a folder"):
        read_photos(folders / "nowhere")
