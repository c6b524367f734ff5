"""``echotui bench``: it compares what it says it compares, and ends with one clear line where it cannot."""

import json
import os
import resource
import signal
import subprocess
from pathlib import Path
from typing import Any

import psutil
import pytest
from support import PATIENCE
from support_serve import ECHOTUI, echotui, eventually

from echotui.server.bench.compare import Case, Plan, Sample, Samples

SMALL = ["--servers", "sockets", "--loops", "asyncio", "--connections", "2", "--runs", "1", "--seconds", "0.2"]


def bench(*arguments: str, **options: Any) -> Any:
    return echotui("bench", *arguments, timeout=50, **options)


def test_every_variant_is_measured_and_told_with_what_one_has_to_know() -> None:
    done = bench(*SMALL, "--json")
    assert (done.returncode, done.stderr) == (0, b"")
    told = json.loads(done.stdout)
    assert told["command"] == f"echotui bench {' '.join(SMALL)} --json"
    assert {"date", "machine", "python", "versions", "load_average"} < told.keys()
    samples = told["samples"]
    assert [sample["variant"] for sample in samples] == ["bare", "watched", "painting", "debug"]
    for sample in samples:
        assert sample["errors"] == {}
        assert sample["throughput"] > 0
        assert sample["latency"]["p50"] <= sample["latency"]["p99.9"]
        assert sample["stolen"] is None or 0 <= sample["stolen"] < 1
        assert sample["rate"] == samples[0]["rate"] == samples[0]["throughput"] / 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_and_the_server_it_has_started(number: signal.Signals) -> None:
    command = [*ECHOTUI, "bench", *SMALL, "--seconds", "60", "--variants", "watched"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as running:
        ours = psutil.Process(running.pid)
        assert eventually(lambda: len(ours.children()) == 2)  # the server, and its traffic
        started = ours.children()
        running.send_signal(number)
        _, complained = running.communicate(timeout=PATIENCE)
    assert complained == b""
    assert running.returncode == 128 + number
    assert psutil.wait_procs(started, timeout=PATIENCE)[1] == []


def test_a_limit_for_who_is_idle_in_the_users_file_is_none_for_who_waits_for_its_turn(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text("idle-timeout = 0.2\n")
    done = bench(
        *SMALL, "--variants", "bare,watched", "--no-latencies", env={**os.environ, "ECHOTUI_CONFIG": str(config)}
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_as_markdown_it_is_a_table() -> None:
    done = bench(*SMALL, "--variants", "bare,watched", "--no-latencies", "--markdown")
    assert (done.returncode, done.stderr) == (0, b"")
    above, _, *table, _, below = done.stdout.decode().splitlines()
    assert f"echotui bench {' '.join(SMALL)}" in above
    assert [row.count("|") for row in table] == [14] * 4
    assert below.startswith("The client took at most ")


def test_too_many_connections_for_the_system_are_one_line() -> None:
    def few_descriptors() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))

    done = bench("--connections", "90", preexec_fn=few_descriptors)
    assert done.returncode == 1
    (line,) = done.stderr.decode().splitlines()
    assert "154 descriptors" in line
    assert "ulimit" in line


@pytest.mark.parametrize(
    "arguments",
    [
        ["--servers", "telnet"],
        ["--servers", "polling"],
        ["--loops", "trio"],
        ["--variants", "naked"],
        ["--connections", "1,none"],
        ["--runs", "0"],
        ["--seconds", "-1"],
        ["--json", "--markdown"],
    ],
    ids=" ".join,
)
def test_what_cannot_be_is_refused_in_one_line(arguments: list[str]) -> None:
    done = bench(*arguments)
    assert (done.returncode, done.stdout) == (2, b"")
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("echotui bench: ")


def test_ratios_are_taken_within_a_round() -> None:
    case = Case("sockets", "asyncio", 1)
    costs = {("bare", 0): 10.0, ("watched", 0): 11.0, ("bare", 1): 20.0, ("watched", 1): 24.0, ("watched", 2): 99.0}
    samples = Samples(
        Sample(case=case, variant=variant, round=number, cpu_per_message=cost, throughput=1.0, client_cpu=0.0)
        for (variant, number), cost in costs.items()
    )
    spread = samples.ratio(case, "watched", "cpu_per_message")
    assert spread is not None
    assert (spread.least, spread.median, spread.most) == pytest.approx((1.1, 1.15, 1.2))


def test_the_plain_selectors_server_has_no_debug_mode() -> None:
    plan = Plan(servers=("selectors", "sockets"), loops=("asyncio",), connections=(1,))
    variants = {case.server: plan.variants_of(case) for case in plan.cases()}
    assert variants == {
        "selectors": ["bare", "watched", "painting"],
        "sockets": ["bare", "watched", "painting", "debug"],
    }
