"""The pipeline: the stages in order, run over their queues, as a rebuild, or as a check that writes nothing."""

from app.pipeline.batches import Worker
from app.pipeline.check import Difference, check
from app.pipeline.rebuild import rebuild_chunk, rebuild_progress, start_rebuild
from app.pipeline.running import is_worker_running, run_once, run_until_idle, run_worker
from app.pipeline.stages import STAGES

__all__ = [
    "STAGES",
    "Difference",
    "Worker",
    "check",
    "is_worker_running",
    "rebuild_chunk",
    "rebuild_progress",
    "run_once",
    "run_until_idle",
    "run_worker",
    "start_rebuild",
]
