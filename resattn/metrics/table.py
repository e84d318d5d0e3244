"""What each score means: one line per metric, read by reports, gates and docs/metrics.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from types import MappingProxyType
from typing import Literal

Kind = Literal["reference", "reduced", "full", "mask", "boxes"]


@dataclass(frozen=True, slots=True)
class Metric:
    """Facts about one score.

    Args:
        name: Key in reports, option value on the command line, function name here.
        title: Name in print.
        unit: Unit of the value; empty where it has none.
        higher_is_better: Direction.
        range: Least and greatest possible value.
        kind: What it needs: a `reference` image, one at `reduced` resolution with the ratio, only
            the inputs of the fusion at `full` resolution, two binary `mask`s, or `boxes` and
            true ones.
        source: Publication that defines it.
    """

    name: str
    title: str
    unit: str
    higher_is_better: bool
    range: tuple[float, float]
    kind: Kind
    source: str

    def better(self, first: float, second: float) -> bool:
        """Whether `first` is the better of two values; NaN is never better."""
        return first > second if self.higher_is_better else first < second

    @property
    def perfect(self) -> float:
        """The best possible value."""
        return self.range[1] if self.higher_is_better else self.range[0]


_ROWS = (
    Metric("ergas", "ERGAS", "%", False, (0, inf), "reduced", "Wald 2002"),
    Metric("sam", "SAM", "degrees", False, (0, 180), "reference", "Yuhas et al. 1992"),
    Metric("q2n", "Q2n", "", True, (0, 1), "reference", "Garzelli and Nencini 2009"),
    Metric("q2n_padded", "Q2n (padded)", "", True, (0, 1), "reference", "Ciotola et al. 2023"),
    Metric("q", "Q", "", True, (-1, 1), "reference", "Wang and Bovik 2002"),
    Metric("scc", "SCC", "", True, (0, 1), "reference", "Zhou et al. 1998"),
    Metric("psnr", "PSNR", "dB", True, (-inf, inf), "reference", "peak² / MSE"),
    Metric("ssim", "SSIM", "", True, (-1, 1), "reference", "Wang et al. 2004"),
    Metric("psnr_y", "PSNR-Y", "dB", True, (-inf, inf), "reference", "255² / MSE of BT.601 Y"),
    Metric("ssim_y", "SSIM-Y", "", True, (-1, 1), "reference", "Wang et al. 2004, BT.601 luma"),
    Metric("ms_ssim", "MS-SSIM", "", True, (0, 1), "reference", "Wang et al. 2003"),
    Metric("rmse", "RMSE", "data", False, (0, inf), "reference", "√MSE"),
    Metric("r_ergas", "R-ERGAS", "%", False, (0, inf), "full", "Scarpa and Ciotola 2022"),
    Metric("r_sam", "R-SAM", "degrees", False, (0, 180), "full", "Scarpa and Ciotola 2022"),
    Metric("r_q2n", "R-Q2n", "", True, (0, 1), "full", "Scarpa and Ciotola 2022"),
    Metric("d_rho", "D_rho", "", False, (0, 2), "full", "Scarpa and Ciotola 2022"),
    Metric("d_lambda_k", "D_lambda,K", "", False, (0, 1), "full", "Khan et al. 2009"),
    Metric("d_s", "D_S", "", False, (0, 2), "full", "Alparone et al. 2008"),
    Metric("hqnr", "HQNR", "", True, (-1, 1), "full", "Aiazzi et al. 2014"),
    Metric("d_lambda", "D_lambda", "", False, (0, 2), "full", "Alparone et al. 2008"),
    Metric("dice", "Dice", "", True, (0, 1), "mask", "Dice 1945"),
    Metric("iou", "IoU", "", True, (0, 1), "mask", "Jaccard 1912"),
    Metric("precision", "Precision", "", True, (0, 1), "mask", "TP / (TP + FP)"),
    Metric("recall", "Recall", "", True, (0, 1), "mask", "TP / (TP + FN)"),
    Metric("specificity", "Specificity", "", True, (0, 1), "mask", "TN / (TN + FP)"),
    Metric("hd95", "HD95", "pixels", False, (0, inf), "mask", "Huttenlocher et al. 1993"),
    Metric("nsd", "NSD", "", True, (0, 1), "mask", "Nikolov et al. 2021"),
    Metric("area_error", "Area error", "%", False, (0, inf), "mask", "|ΔA| / A"),
    Metric("ap", "AP", "", True, (0, 1), "boxes", "Lin et al. 2014 (COCO)"),
    Metric("ap50", "AP50", "", True, (0, 1), "boxes", "Lin et al. 2014 (COCO)"),
    Metric("ap75", "AP75", "", True, (0, 1), "boxes", "Lin et al. 2014 (COCO)"),
    Metric("ap_small", "AP small", "", True, (0, 1), "boxes", "Lin et al. 2014 (COCO)"),
    Metric("ap_medium", "AP medium", "", True, (0, 1), "boxes", "Lin et al. 2014 (COCO)"),
    Metric("ap_large", "AP large", "", True, (0, 1), "boxes", "Lin et al. 2014 (COCO)"),
    Metric("ar1", "AR1", "", True, (0, 1), "boxes", "Lin et al. 2014 (COCO)"),
    Metric("ar10", "AR10", "", True, (0, 1), "boxes", "Lin et al. 2014 (COCO)"),
    Metric("ar100", "AR100", "", True, (0, 1), "boxes", "Lin et al. 2014 (COCO)"),
    Metric("ar_small", "AR small", "", True, (0, 1), "boxes", "Lin et al. 2014 (COCO)"),
    Metric("ar_medium", "AR medium", "", True, (0, 1), "boxes", "Lin et al. 2014 (COCO)"),
    Metric("ar_large", "AR large", "", True, (0, 1), "boxes", "Lin et al. 2014 (COCO)"),
    Metric(
        "box_precision", "Precision of boxes", "", True, (0, 1), "boxes", "TP / (TP + FP), IoU 0.5"
    ),
    Metric("box_recall", "Recall of boxes", "", True, (0, 1), "boxes", "TP / (TP + FN), IoU 0.5"),
    Metric("box_f1", "F1 of boxes", "", True, (0, 1), "boxes", "2 TP / (2 TP + FP + FN), IoU 0.5"),
)

METRICS: Mapping[str, Metric] = MappingProxyType({row.name: row for row in _ROWS})
"""Every metric by name."""
