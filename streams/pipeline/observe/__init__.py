"""Observe: records of one partition in, sightings for every destination partition out. See README.md."""

from streams.pipeline.observe.disclosure import Outcome
from streams.pipeline.observe.observer import Counts, Observed, Observer, idle_progress
from streams.pipeline.observe.reading import Dead
from streams.pipeline.observe.warm_up import warm_up

__all__ = ["Counts", "Dead", "Observed", "Observer", "Outcome", "idle_progress", "warm_up"]
