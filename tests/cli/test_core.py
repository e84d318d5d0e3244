from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from resattn.cli.core import app
from resattn.cli.exits import Exit
from resattn.errors import UserError
from resattn.registry import MIXERS


def run(*arguments):
    return CliRunner().invoke(app, arguments, catch_exceptions=False)


def test_list_names_every_mixer():
    lines = run("list").stdout.splitlines()
    assert [line.split()[0] for line in lines] == list(MIXERS)
    assert set(json.loads(run("list", "--json").stdout)) == set(MIXERS)


def test_show_prints_equation_facts_and_identities():
    text = run("show", "eca").stdout
    assert "sigmoid(conv1d_k(mean_pixels(x)))" in text
    assert "eca delta kernel gates by own mean" in text
    assert json.loads(run("show", "window", "--json").stdout)["layout"] == "NHWC"


def test_an_unknown_mixer_is_refused_with_a_guess():
    with pytest.raises(UserError, match="did you mean 'window'"):
        run("show", "windw")


def test_check_proves_the_identities_in_both_precisions():
    for precision in ("fp64", "fp32"):
        result = run("check", "--device", "cpu", "--precision", precision, "--json")
        assert result.exit_code == Exit.OK
        checks = json.loads(result.stdout)
        assert len(checks) == sum(len(line.identities) for line in MIXERS.values())
        assert all(check["holds"] for check in checks)


def test_check_fails_when_an_identity_does(monkeypatch):
    from resattn.checks import probe

    monkeypatch.setattr(probe.Probe, "tolerance", -1.0)
    result = run("check", "--mixer", "eca", "--device", "cpu")
    assert result.exit_code == Exit.GATE_FAILED
    assert "FAILED  eca" in result.stdout


@pytest.mark.filterwarnings("ignore::UserWarning")  # the profiler's own
def test_bench_prints_shares_and_draws_them(tmp_path):
    pytest.importorskip("matplotlib")
    plot = tmp_path / "shares.png"
    options = ["--mixer", "eca,window", "--size", "16", "--dim", "16", "--device", "cpu"]
    options += ["--seconds", "0.01"]
    result = run("bench", *options, "--json", "--plot", str(plot))
    document = json.loads(result.stdout)
    assert [row["name"] for row in document["rows"]][:3] == ["conv 3x3", "SDPA, all pixels", "eca"]
    assert document["limits"]["gemm"] > 1e9
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert "of GEMM" in run("bench", *options, "--mixer", "eca").stdout


@pytest.mark.parametrize("size", ["big", "0", "64,"])
def test_bench_refuses_sizes_that_are_none(size):
    with pytest.raises(UserError, match="--size"):
        run("bench", "--size", size)
