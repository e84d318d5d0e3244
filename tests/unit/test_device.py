import platform
import resource

import pytest
import torch

from resattn.device import autocast, pick, reuse_memory
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


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries are left alone")
def test_memory_of_tensors_is_used_again():
    def faults_of(count):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(count):
            torch.ones(2**21)
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    assert reuse_memory()
    faults_of(20)  # until there is a place where one fits
    pages = 20 * 2**21 * torch.float32.itemsize / resource.getpagesize()
    assert faults_of(20) < pages / 4
