"""A batch in a process of its own, to be killed: ``python -m tests.unit.batch.driver DIR N``."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

from resattn.pipelines import batch as batching
from resattn.pipelines.batch import Order
from resattn.pipelines.progress import Progress
from resattn.pipelines.run import execute
from tests.unit.batch.copying import Config, make_plan, work


def main(folder: Path, workers: int) -> None:
    """Resumes the batch over what lies in ``folder/in``."""
    names = sorted(path.stem for path in (folder / "in").iterdir())
    plan = make_plan(folder, dict.fromkeys(names, ""))
    config = Config(seconds=0.005, diary=str(folder / "diary"))
    order = Order("copy", asdict(config), folder / "out", resume=True, workers=workers)
    share = batching.share(plan, order)
    with batching.opened(share, order, lambda: False) as batch:
        for result in execute(share.plan, work(config), Progress(enabled=False), batch):
            assert result.status == "ok", result.error


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
