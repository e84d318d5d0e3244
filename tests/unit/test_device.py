import pytest
import torch

from resattn.device import autocast, pick
from resattn.errors import UserError


def test_auto_is_the_gpu_where_there_is_one():
    assert pick().type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert pick("cpu") == torch.device("cpu")


@pytest.mark.parametrize("name", ["tpu9", "cuda:99", "cpu:1", "xla", ""])
def test_absent_devices_are_refused(name):
    with pytest.raises(UserError):
        pick(name)


@pytest.mark.parametrize(
    ("precision", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16)]
)
def test_matrix_products_run_at_the_precision(precision, dtype):
    weight = torch.rand(4, 4)
    with autocast(torch.device("cpu"), precision):
        assert (weight @ weight).dtype == dtype


def test_other_precisions_are_refused():
    with pytest.raises(ValueError, match="'int8'"):
        autocast(torch.device("cpu"), "int8")
