"""A million journeys over twenty channels: how long Markov and Shapley take from their texts, and what memory.

With the package `ChannelAttribution` in the environment (a peer, no dependency), the same journeys in the same run through
its `markov_model`, and the ratio. It simulates walks where we solve the chain.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import resource
import sys
import time
from collections import Counter
from collections.abc import Callable

import numpy as np

from app.attribution.intervals import resampled_shares
from app.attribution.markov import Chain
from app.attribution.observed import Journeys, Model, encoded, values_as_seen
from app.attribution.shapley import Coalitions

CHANNELS = 20
LONGEST = 30
RESAMPLES = 200
MODELS: dict[str, Callable[[Journeys], Model]] = {
    "Markov, order 1": Chain,
    "Shapley": Coalitions,
    "Markov, order 2": lambda seen: Chain(seen, 2),
}

Row = tuple[str, int, int]


def rows(journeys: int) -> list[Row]:
    """(path, times, converts) of the distinct ones among so many random journeys, as the database would give them."""
    chance = np.random.default_rng(7)
    lengths = np.minimum(chance.geometric(0.3, journeys), LONGEST)
    touches = chance.choice(CHANNELS, lengths.sum(), p=chance.dirichlet(np.full(CHANNELS, 2.0))).astype(str).tolist()
    converts = (chance.random(journeys) < 0.05).tolist()
    seen: Counter[tuple[str, int]] = Counter()
    begun = 0
    for length, does in zip(lengths.tolist(), converts, strict=True):
        seen[",".join(touches[begun : begun + length]), int(does)] += 1
        begun += length
    return [(path, times, does) for (path, does), times in seen.items()]


def timed(work: Callable[[], object]) -> float:
    """Seconds that the work takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def measure(found: list[Row]) -> dict[str, float]:
    """Seconds of each model from the texts of journeys to its values; printed, with those of its intervals."""
    paths, times, converts = zip(*found, strict=True)
    seconds = {}
    for name, model in MODELS.items():

        def read() -> Journeys:
            return encoded(paths, times, ((does,) for does in converts), 1, range(CHANNELS))

        seconds[name] = timed(lambda model=model, read=read: values_as_seen(model(seen := read()), seen))  # type: ignore[misc]
        seen = read()
        made = model(seen)
        more = timed(lambda made=made, seen=seen: resampled_shares(made, seen, seed=1, resamples=RESAMPLES))  # type: ignore[misc]
        print(f"{name:16} {seconds[name]:6.2f} s, intervals of {RESAMPLES} resamples {more:6.2f} s more", flush=True)
    return seconds


def measure_peer(found: list[Row], seconds: dict[str, float]) -> None:
    """The peer on the same journeys, and how many times longer it takes."""
    try:
        import ChannelAttribution as peer  # noqa: N813
        import pandas as pd
    except ImportError:
        return
    sums: dict[str, list[int]] = {}
    for path, times, does in found:
        sums.setdefault(path, [0, 0])[does] += times
    table = pd.DataFrame(
        [(" > ".join(f"channel {number}" for number in path.split(",")), bought, other) for path, (other, bought) in sums.items()],
        columns=["path", "bought", "other"],
    )
    taken = timed(lambda: peer.markov_model(table, "path", "bought", var_null="other", order=1, verbose=False, flg_pro=False))
    print(f"{'peer, order 1':16} {taken:6.2f} s: " + ", ".join(f"{taken / own:.1f} × {name}" for name, own in seconds.items()))


def main(journeys: int) -> None:
    """Print all of it."""
    found = rows(journeys)
    print(f"{journeys:,} journeys over {CHANNELS} channels, {len(found):,} distinct", flush=True)
    seconds = measure(found)
    print(f"memory at its highest: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB, the making of the texts included")
    measure_peer(found, seconds)


if __name__ == "__main__":
    main(int(float(sys.argv[1])) if len(sys.argv) > 1 else 1_000_000)
