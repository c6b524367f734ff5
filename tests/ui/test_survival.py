"""A short version of ``benchmarks/survive.py``: random keys, random clients, and books that agree to the byte."""

import os

import pytest
from support_survival import Survival

#: Another seed, or several: ``ECHOTUI_SEEDS=1,2,3``.
SEEDS = os.environ.get("ECHOTUI_SEEDS", "1").split(",")


@pytest.mark.parametrize("seed", SEEDS)
def test_it_survives_random_keys_and_has_counted_what_its_clients_have(loop_kind: str, seed: str) -> None:
    run = Survival(seed, loop=loop_kind, seconds=10, connections=100, keys=60, processes=1, pause=0.5)
    assert run.run() == []
    assert sum(run.pressed.values()) >= 60
    assert run.verdict.strict > 100
