import pytest
import torch

from resattn.errors import OutputError, UserError
from resattn.training.dataset import ImageSet


def photos(count, per_photo=2):
    names = tuple(f"p{i}" for i in range(count) for _ in range(per_photo))
    images = torch.arange(count * per_photo, dtype=torch.uint8).reshape(-1, 1, 1, 1)
    return ImageSet(images, names)


def test_folds_part_the_photographs():
    every = photos(10)
    held = []
    for fold in range(4):
        train, inside = every.split(4, fold)
        assert not set(train.sources) & set(inside.sources)
        assert sorted(train.images.flatten().tolist() + inside.images.flatten().tolist()) == list(
            range(20)
        )
        held += inside.images.flatten().tolist()
    assert sorted(held) == list(range(20))


def test_images_stay_with_their_names():
    train, inside = photos(10).split(3, 1)
    for part in (train, inside):
        assert [f"p{i // 2}" for i in part.images.flatten().tolist()] == list(part.sources)


def test_order_of_the_images_does_not_move_photographs():
    every = photos(10)
    flipped = ImageSet(every.images.flip(0), every.sources[::-1])
    assert set(every.split(5, 2)[1].sources) == set(flipped.split(5, 2)[1].sources)


@pytest.mark.parametrize(
    ("folds", "fold", "words"), [(3, 3, "no fold 3 of 3"), (9, 0, "do not fill")]
)
def test_impossible_folds_are_refused(folds, fold, words):
    with pytest.raises(UserError, match=words):
        photos(4).split(folds, fold)


def test_a_set_survives_its_file(tmp_path):
    every = photos(3)
    every.save(tmp_path / "set.safetensors")
    again = ImageSet.load(tmp_path / "set.safetensors")
    assert torch.equal(again.images, every.images)
    assert again.sources == every.sources


def test_files_that_are_no_set_are_refused(tmp_path):
    path = tmp_path / "set.safetensors"
    with pytest.raises(UserError, match="is not a set of images"):
        ImageSet.load(path)
    path.write_bytes(b"no")
    with pytest.raises(UserError, match="is not a set of images"):
        ImageSet.load(path)
    ImageSet(torch.zeros(2, 3, 4, 4), ("a", "b")).save(path)
    with pytest.raises(UserError, match="float32"):
        ImageSet.load(path)
    ImageSet(torch.zeros(2, 3, 4, 4, dtype=torch.uint8), ("a",)).save(path)
    with pytest.raises(UserError, match="1 names"):
        ImageSet.load(path)


def test_a_set_that_cannot_be_written_is_an_output_error(tmp_path):
    with pytest.raises(OutputError, match="cannot write the images"):
        photos(3).save(tmp_path / "absent" / "set.safetensors")
