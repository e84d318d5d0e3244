"""Every unit belongs to one shard, whoever asks and in whatever order."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resattn.errors import UserError
from resattn.pipelines.shard import Shard, parse


@settings(deadline=None)
@given(st.text(), st.integers(1, 50))
def test_a_name_belongs_to_exactly_one_shard(name, count):
    assert sum(Shard(index, count).takes(name) for index in range(1, count + 1)) == 1


def test_the_split_does_not_change_between_versions():
    names = [f"{number}.tif" for number in range(12)]
    assert [n for n in names if Shard(2, 3).takes(n)] == ["0.tif", "5.tif", "8.tif", "9.tif"]


def test_shards_are_about_equal():
    names = [f"scene/{number:06}.tif" for number in range(10_000)]
    sizes = [sum(Shard(i, 4).takes(name) for name in names) for i in range(1, 5)]
    # binomial: 2500 ± 43, six standard deviations
    assert all(abs(size - 2500) < 260 for size in sizes)


@pytest.mark.parametrize(
    ("text", "environment", "expected"),
    [
        ("2/8", {}, Shard(2, 8)),
        ("auto", {"SLURM_ARRAY_TASK_ID": "5", "SLURM_ARRAY_TASK_MIN": "5",
                  "SLURM_ARRAY_TASK_COUNT": "4"}, Shard(1, 4)),
        ("auto", {"SLURM_ARRAY_TASK_ID": "6", "SLURM_ARRAY_TASK_MIN": "0",
                  "SLURM_ARRAY_TASK_STEP": "2", "SLURM_ARRAY_TASK_COUNT": "4"}, Shard(4, 4)),
        ("auto", {"AWS_BATCH_JOB_ARRAY_INDEX": "0", "AWS_BATCH_JOB_ARRAY_SIZE": "10"},
         Shard(1, 10)),
        ("auto/6", {"JOB_COMPLETION_INDEX": "5"}, Shard(6, 6)),
        ("auto/4", {"AWS_BATCH_JOB_ARRAY_INDEX": "3"}, Shard(4, 4)),
    ],
)  # fmt: skip
def test_forms_and_schedulers(text, environment, expected):
    assert parse(text, environment) == expected


@pytest.mark.parametrize(
    ("text", "environment"),
    [
        ("0/3", {}), ("4/3", {}), ("3", {}), ("1/0", {}), ("a/b", {}), ("auto", {}),
        ("auto", {"JOB_COMPLETION_INDEX": "1"}),
        ("auto/2", {"JOB_COMPLETION_INDEX": "2"}),
    ],
)  # fmt: skip
def test_what_means_no_shard_is_refused(text, environment):
    with pytest.raises(UserError) as raised:
        parse(text, environment)
    assert raised.value.code == "E208"
