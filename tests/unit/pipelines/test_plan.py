"""Planning: names, collisions, existing outputs, references."""

from __future__ import annotations

import os

import pytest

from resattn.errors import UserError
from resattn.pipelines.plan import Item, Plan, check, output_path, pair_references


def item(tmp_path, name: str, output: str = "") -> Item:
    source = tmp_path / f"{name}.tif"
    source.parent.mkdir(parents=True, exist_ok=True)
    source.touch()
    return Item(name, (source,), tmp_path / "out" / (output or f"{name}.sharp.tif"))


def test_one_item_with_a_file_like_out_is_that_file(tmp_path):
    out = tmp_path / "x.tif"
    assert output_path(out, "a", single=True, tag="sharp", suffix=".tif") == out


@pytest.mark.parametrize("single", [True, False])
def test_otherwise_out_is_a_folder_that_keeps_sub_folders(tmp_path, single):
    path = output_path(tmp_path / "out", "sub/a", single=single, tag="sharp", suffix=".tif")
    assert path == tmp_path / "out" / "sub" / "a.sharp.tif"


def test_a_folder_named_like_a_file_stays_a_folder(tmp_path):
    out = tmp_path / "v1.0"
    out.mkdir()
    assert output_path(out, "a", single=True, tag="s", suffix=".tif") == out / "a.s.tif"


def test_two_inputs_for_one_output_are_refused_before_work(tmp_path):
    with pytest.raises(UserError, match=r"a\.tif and .*b\.tif would both"):
        check([item(tmp_path, "a", "same.tif"), item(tmp_path, "b", "same.tif")])


def test_an_existing_output_is_refused_skipped_or_replaced(tmp_path):
    first, second = item(tmp_path, "a"), item(tmp_path, "b")
    first.output.parent.mkdir()
    first.output.touch()
    with pytest.raises(UserError, match="--overwrite or --skip-existing"):
        check([first, second])
    plan = check([first, second], skip_existing=True)
    assert (plan.items, plan.skipped) == ((second,), (first,))
    assert check([first, second], overwrite=True).items == (first, second)


@pytest.mark.parametrize("link", [os.link, os.symlink])
def test_an_output_that_is_an_input_is_refused_even_with_overwrite(tmp_path, link):
    source = item(tmp_path, "a")
    source.output.parent.mkdir()
    link(source.inputs[0], source.output)
    with pytest.raises(UserError, match="also an input"):
        check([source], overwrite=True)


def test_references_pair_by_stem_and_the_rest_is_listed(tmp_path):
    plan = Plan((item(tmp_path, "a"), item(tmp_path, "b")))
    for name in ("B.truth.tif", "other.tif"):
        (tmp_path / "ref" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "ref" / name).touch()
    paired = pair_references(plan, tmp_path / "ref")
    assert [i.reference and i.reference.name for i in paired.items] == [None, "B.truth.tif"]
    assert [path.name for path in paired.unmatched_references] == ["other.tif"]


def test_a_missing_reference_never_shifts_the_others(tmp_path):
    plan = Plan(tuple(item(tmp_path, name) for name in "abc"))
    (tmp_path / "ref").mkdir()
    for name in "ac":
        (tmp_path / "ref" / f"{name}.tif").touch()
    paired = pair_references(plan, tmp_path / "ref")
    assert [i.reference and i.reference.stem for i in paired.items] == ["a", None, "c"]


def test_pair_takes_the_first_group_of_an_expression(tmp_path):
    plan = Plan((item(tmp_path, "scene_007_pan"),))
    (tmp_path / "ref").mkdir()
    (tmp_path / "ref" / "truth-007.tif").touch()
    paired = pair_references(plan, tmp_path / "ref", r"(\d+)")
    assert paired.items[0].reference is not None


@pytest.mark.parametrize(
    ("pattern", "why"), [("(", "--pair"), ("no group", "has no group"), (r"(z+)", "named like")]
)
def test_pairings_that_cannot_work_say_why(tmp_path, pattern, why):
    plan = Plan((item(tmp_path, "a"),))
    (tmp_path / "ref").mkdir()
    (tmp_path / "ref" / "b.tif").touch()
    with pytest.raises(UserError, match=why):
        pair_references(plan, tmp_path / "ref", pattern)


def test_one_reference_file_for_many_items_is_refused(tmp_path):
    plan = Plan((item(tmp_path, "a"), item(tmp_path, "b")))
    with pytest.raises(UserError, match="one reference"):
        pair_references(plan, plan.items[0].inputs[0])


def test_two_references_with_one_key_are_refused(tmp_path):
    plan = Plan((item(tmp_path, "a"),))
    (tmp_path / "ref").mkdir()
    (tmp_path / "ref" / "a.tif").touch()
    (tmp_path / "ref" / "a.png").touch()
    with pytest.raises(UserError, match="both references"):
        pair_references(plan, tmp_path / "ref")


@pytest.mark.parametrize("folder", ["a", ""])
def test_equal_names_in_sub_folders_go_by_the_sub_folder(tmp_path, folder):
    names = [f"{folder}/x" if folder else "x", "b/x"]
    plan = Plan(tuple(Item(n, (tmp_path / "in" / n,), tmp_path / n) for n in names))
    for name in names:
        path = tmp_path / "ref" / f"{name}.tif"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    paired = pair_references(plan, tmp_path / "ref")
    assert [i.reference for i in paired.items] == [tmp_path / "ref" / f"{n}.tif" for n in names]


def test_a_name_that_two_other_sub_folders_have_is_refused(tmp_path):
    for name in ("a/x", "b/x"):
        path = tmp_path / "ref" / f"{name}.tif"
        path.parent.mkdir(parents=True)
        path.touch()
    with pytest.raises(UserError, match="both references for 'x'"):
        pair_references(Plan((item(tmp_path, "x"),)), tmp_path / "ref")


def test_a_flat_folder_serves_items_in_sub_folders(tmp_path):
    (tmp_path / "ref").mkdir()
    (tmp_path / "ref" / "x.tif").touch()
    plan = Plan((Item("a/x", (tmp_path / "a" / "x.tif",), tmp_path / "o"),))
    assert pair_references(plan, tmp_path / "ref").items[0].reference is not None


def test_the_description_lists_every_read_and_write(tmp_path):
    plan = check([item(tmp_path, "a")])
    assert plan.describe().splitlines() == [
        f"read\t{tmp_path / 'a.tif'}",
        f"write\t{tmp_path / 'out' / 'a.sharp.tif'}",
        "items\t1",
    ]
