"""Fault scripts: the same seed makes the same events, an expectation gets a verdict, and a bad file one clear line."""

import asyncio
import codecs
import json
import signal
import subprocess
from pathlib import Path
from time import monotonic
from typing import Any

import psutil
import pytest
from support import PATIENCE, Loop
from support_serve import ECHOTUI, eventually
from support_terminal import Terminal

from echotui.server.faults.rounds import Report, run_script
from echotui.server.faults.script import BadScript, load, read
from echotui.server.faults.sequence import digest, sequence
from echotui.server.loops import LoopKind

SCRIPTS = Path(__file__).parent.parent / "scripts"
MIXED = SCRIPTS / "mixed.toml"


def lines_of(report: Report) -> list[str]:
    return sequence(report.journal.since(0))


def script(*steps: str, expect: str = "others_keep_echoing = true", seconds: float = 0.5, **settings: object) -> str:
    """Return the text of a script with these steps."""
    head = "".join(f"{name} = {json.dumps(value)}\n" for name, value in {"patience": 0.3, **settings}.items())
    body = "".join(f"[[step]]\n{step}\n" for step in steps)
    return f"seconds = {seconds}\n{head}{body}[[expect]]\n{expect}\n"


async def test_the_same_seed_twice_gives_the_same_sequence_of_events_and_another_seed_another_one() -> None:
    mixed = load(MIXED)
    first, second, other = await run_script(mixed), await run_script(mixed), await run_script(mixed, seed=8)
    assert lines_of(first) == lines_of(second)
    assert lines_of(first) != lines_of(other)
    assert digest(lines_of(first)) == digest(lines_of(second)) != digest(lines_of(other))
    assert len(lines_of(first)) > 60
    assert first.passed


async def test_what_happens_to_one_client_happens_to_no_other() -> None:
    report = await run_script(load(MIXED))
    assert report.others_lost == []
    assert {lost.client for lost in report.lost} == {"client 2 of sockets", "client 3 of sockets"}
    assert len(report.lost) == 2
    assert all(recovery is not None for recovery in report.recoveries.values())


async def test_a_fault_that_reaches_others_fails_the_expectation_that_they_keep_echoing() -> None:
    report = await run_script(read(script('fault = "block"\nwith = { ms = 400 }\nafter = { seconds = 0.1 }')))
    (verdict,) = report.verdicts
    assert not verdict.met
    assert "no echo in time" in verdict.why
    assert not report.passed


async def test_who_has_its_echo_loses_none_while_others_wait_in_vain_to_be_answered_again() -> None:
    for fault in ('fault = "stop-reading"', 'fault = "latency"\nwith = { ms = 900 }'):
        step = f'{fault}\ninto = {{ server = "sockets" }}\nafter = {{ seconds = 0.1 }}\nlasts = 0.2'
        report = await run_script(read(script(step, servers=["selectors", "sockets"], clients=2)))
        assert {lost.client for lost in report.lost} == {"client 1 of sockets", "client 2 of sockets"}
        assert report.others_lost == []
        assert report.passed


async def test_all_who_have_hung_up_come_again_at_once_also_where_nobody_is_accepted() -> None:
    clients, patience = 20, 0.3
    late = 'fault = "accept-delay"\ninto = { server = "sockets" }\nwith = { ms = 400 }\nlasts = 0.15'
    broken = 'fault = "down"\ninto = { server = "sockets" }\nlasts = 0.05'
    silent = 'fault = "stop-reading"\ninto = { server = "sockets" }\nlasts = 0.1'
    for steps in ([silent], [late, broken]):
        began = monotonic()
        report = await run_script(
            read(script(*steps, expect="broken = 20", servers=["sockets"], clients=clients, seconds=0.2))
        )
        assert monotonic() - began < clients * patience
        assert report.passed


async def test_what_blocks_the_loop_makes_others_late_also_while_some_come_again() -> None:
    silent = 'fault = "stop-reading"\ninto = { server = "sockets" }\nafter = { seconds = 0.1 }\nlasts = 0.3'
    block = 'fault = "block"\nwith = { ms = 400 }\nafter = { seconds = 0.25 }'
    report = await run_script(read(script(silent, block, servers=["selectors", "sockets"], clients=1)))
    assert [(lost.client, lost.round) for lost in report.others_lost] == [("client 1 of selectors", 5)]


async def test_what_does_not_recover_in_time_fails_the_expectation() -> None:
    step = 'fault = "stop-reading"\ninto = { server = "sockets" }\nlasts = 0.1'
    slow = await run_script(read(script(step, expect="recovers_within = 0.0011", clients=1)))
    assert not slow.verdicts[0].met
    assert slow.verdicts[0].why.startswith("it took ")
    fast = await run_script(read(script(step, expect="recovers_within = 5.0", clients=1)))
    assert fast.verdicts[0].met


async def test_broken_clients_and_complaints_are_counted_exactly() -> None:
    step = 'fault = "never-retrieved"\ninto = { connection = 1, server = "sockets" }\nlasts = 0.2'
    report = await run_script(read(script(step, expect="broken = 1\n[[expect]]\ncomplaints = 1")))
    assert [verdict.met for verdict in report.verdicts] == [True, True]
    report = await run_script(read(script(step, expect="broken = 2\n[[expect]]\ncomplaints = 0")))
    assert [verdict.met for verdict in report.verdicts] == [False, False]


async def test_a_step_that_cannot_be_done_or_is_never_due_fails_the_script() -> None:
    report = await run_script(
        read(
            script(
                'fault = "boom"\ninto = { connection = 99, server = "sockets" }',
                'fault = "boom"\ninto = { server = "sockets" }\nafter = { accepts = 1000, server = "sockets" }',
            )
        )
    )
    assert [why for _, why in report.failed] == ["sockets has accepted 3 connections, not 99", "it was never due"]
    assert not report.passed


async def test_steps_come_after_accepts_bytes_and_seconds(loop: Loop) -> None:
    del loop
    report = await run_script(
        read(
            script(
                'fault = "latency"\ninto = { server = "sockets" }\nwith = { ms = 1 }\n'
                'after = { bytes = 1, server = "sockets" }\nlasts = 0.1',
                'fault = "latency"\ninto = { server = "sockets" }\nwith = { ms = 1 }\n'
                'after = { accepts = 3, server = "selectors" }\nlasts = 0.1',
                'fault = "latency"\ninto = { server = "sockets" }\nwith = { ms = 1 }\nafter = { seconds = 0.3 }',
            )
        )
    )
    assert report.passed
    begins = [fault.began_at for fault in report.faults]
    assert begins[2] - begins[0] >= 0.29
    assert begins == sorted(begins)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("seed = ", "not TOML: Invalid value (at end of document)"),
        ("sed = 1", "the script has no 'sed': it has title, seed, servers, clients, seconds, patience, step, expect"),
        ("seed = 1", "the script expects nothing: add [[expect]] with one of others_keep_echoing, recovers_within, "),
        (script(clients=0), "the script: clients = 0 is not possible: a whole number, 1 to 200"),
        (script(clients=True), "the script: clients = true is not possible: a whole number, 1 to 200"),
        (script(servers=[True, "web"]), "the script: servers = [true, 'web'] is not possible: a list of selectors, "),
        ("seed = { of = false }\n" + script(), "the script: seed = { of = false } is not possible: a whole number, "),
        (script('fault = "block"\nwith = { ms = true }'), "step 1: ms = true is not possible: 1 to 10000 ms"),
        (script(servers=["web"]), "the script: servers = ['web'] is not possible: a list of selectors, sockets"),
        (script("after = 3"), "step 1: fault is missing"),
        (script('fault = "lateness"'), "step 1: there is no fault 'lateness': choose from boom, "),
        (script('fault = "boom"'), "step 1: boom cannot be injected into a loop: connection or server"),
        (script('fault = "block"\nafter = 3'), "step 1: after is not a table: it has seconds, accepts, bytes, server"),
        (
            script('fault = "block"\nafter = { accepts = 3 }'),
            "step 1: after: server is missing: one of selectors, sockets",
        ),
        (script('fault = "block"\nafter = {}'), "step 1: after needs one of seconds, accepts, bytes, and has none"),
        (script('fault = "block"\nwith = { ms = "long" }'), "step 1: ms = 'long' is not possible: 1 to 10000 ms"),
        (script('fault = "block"\nwith = { sm = 1 }'), "step 1: with has no 'sm': it has ms, every"),
        (script('fault = "block"\ntoxicity = 2'), "step 1: toxicity = 2 is not possible: a number, 0 to 1"),
        (script(expect="others_keep_echoing = false"), "expect 1: others_keep_echoing = false is not possible: true"),
        (
            script(expect="recovers_within = 0"),
            "expect 1: recovers_within = 0 is not possible: a number, 0.001 to 3600",
        ),
        *(
            (script(f'fault = "block"\ninto = {into}'), f"step 1: into: {why}")
            for into, why in (
                ("{ loop = false }", "loop = false is not possible: true, or leave it out"),
                ('{ loop = "no" }', "loop = 'no' is not possible: true, or leave it out"),
                (
                    '{ connection = 1, server = "sockets", loop = true }',
                    "loop = true is not in a server: leave loop out, or all else",
                ),
                ("{ connection = 1 }", "server is missing: one of selectors, sockets"),
            )
        ),
        (
            script('fault = "block"\nafter = { seconds = 0.1, server = "nosuch" }'),
            "step 1: after: seconds are no server's: leave server out, or say accepts or bytes",
        ),
        (
            script(servers=["blocking"], clients=3),
            "the script: clients = 3 is not possible with blocking, which takes one at a time: write clients = 1, ",
        ),
        (
            script(servers=["sockets", "blocking"], clients=2),
            "the script: clients = 2 is not possible with blocking, which takes one at a time: write clients = 1, ",
        ),
        (script(seed=2**63), "the script: seed = 9223372036854775808 is not possible: a whole number, 0 to "),
        ("step = 3\n" + script(), "the script: write [[step]], with two brackets: there can be several"),
    ],
)
def test_a_bad_script_is_refused_with_one_line_that_says_what_is_allowed(text: str, why: str) -> None:
    with pytest.raises(BadScript) as refused:
        read(text)
    assert str(refused.value).startswith(why)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("settings", [{}, {"clients": 5}, {"servers": ["blocking"]}], ids=str)
def test_where_nothing_more_is_asked_of_a_server_that_takes_one_at_a_time_it_has_one(settings: dict[str, Any]) -> None:
    asked = read(script(**settings))
    assert asked.clients == settings.get("clients", 3)
    assert "blocking" in asked.servers


@pytest.mark.parametrize(
    "seed",
    ["99999999999999999999", str(2**63), "9" * 5000, "-1", "seven"],
    ids=["large", "first", "long", "minus", "word"],
)
def test_a_seed_on_the_command_line_has_the_limits_of_one_in_the_file(seed: str) -> None:
    done = echotui("faults", "run", str(MIXED), f"--seed={seed}")
    assert (done.returncode, done.stdout) == (2, "")
    assert f"is not a seed: a whole number, 0 to {2**63 - 1}" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert len(done.stderr) < 300


def echotui(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*ECHOTUI, *arguments], capture_output=True, text=True, timeout=30, check=False)


def test_the_command_line_prints_a_verdict_for_each_expectation_and_exits_0(loop_kind: LoopKind) -> None:
    done = echotui("faults", "run", str(MIXED), "--loop", loop_kind)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[-3].startswith("ok      others keep echoing: ")
    assert lines[-2].startswith("ok      recovers within 1 s: it took 0.")
    assert lines[-1].startswith("seed 7, ")


def test_the_command_line_exits_1_if_an_expectation_is_not_met(tmp_path: Path) -> None:
    file = tmp_path / "fails.toml"
    file.write_text(script('fault = "boom"\ninto = { connection = 1, server = "sockets" }', expect="broken = 0"))
    done = echotui("faults", "run", str(file), "--json")
    assert done.returncode == 1
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert rows[-2] == {"kind": "verdict", "expect": "0 clients lose their echo", "met": False, "why": "1 did"}
    assert rows[-1]["passed"] is False
    assert [row["fault"] for row in rows if row["kind"] == "boom"] == [1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=str)
@pytest.mark.parametrize("form", [[], ["--json"]], ids=["text", "json"])
def test_a_signal_ends_it_with_what_there_was_so_far_and_the_status_a_shell_knows(
    tmp_path: Path, loop_kind: LoopKind, number: signal.Signals, form: list[str]
) -> None:
    file = tmp_path / "long.toml"
    step = 'fault = "stop-reading"\ninto = { server = "sockets" }'  # so its clients wait when the signal comes
    expect = "recovers_within = 1.0\n[[expect]]\nbroken = 7"
    file.write_text(script(step, expect=expect, seconds=600, patience=60))
    command = [*ECHOTUI, "faults", "run", str(file), "--loop", loop_kind, *form]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        ours = psutil.Process(running.pid)
        assert eventually(lambda: len([one for one in ours.net_connections() if one.status == "ESTABLISHED"]) > 20)
        running.send_signal(number)
        told, complained = running.communicate(timeout=PATIENCE)
    assert running.returncode == 128 + number
    assert complained == f"echotui faults run: interrupted by {number.name}, so nothing is decided\n"
    if form:
        rows = [json.loads(line) for line in told.splitlines()]
        assert [row["met"] for row in rows if row["kind"] == "verdict"] == [None, None]
        assert (rows[-1]["kind"], rows[-1]["interrupted"], rows[-1]["passed"]) == ("summary", True, False)
    else:
        assert told.splitlines()[-2] == "so far  7 clients lose their echo: 0 did"


def test_on_a_terminal_it_says_which_steps_are_done_and_how_far_its_own_clock_is(
    tmp_path: Path, loop_kind: LoopKind
) -> None:
    file = tmp_path / "steps.toml"
    failing = 'fault = "boom"\ninto = { connection = 99, server = "sockets" }\nafter = { seconds = 0.2 }'
    # The clients connect one after the other, to one server after the other: three to selectors, then to sockets.
    done = 'fault = "latency"\ninto = { connection = 2, server = "sockets" }\nwith = { ms = 1 }\nlasts = 0.1'
    file.write_text(script(done, failing, seconds=0.3))
    with Terminal(*ECHOTUI, "faults", "run", str(file), "--loop", loop_kind) as terminal:
        assert terminal.status() == 1
        lines = terminal.text.splitlines()
        assert lines[0] == "after 0 s: latency into the 2nd connection of sockets (connection 5)"
        assert lines[1] == (
            "after 0.2 s: boom into the 99th connection of sockets: sockets has accepted 3 connections, not 99"
        )
        assert lines[2].startswith("fault 1 (latency) in the 2nd connection of sockets (connection 5): ")
        assert lines[3].startswith("FAILED  after 0.2 s: boom into the 99th connection of sockets: ")
        assert b"0.25 of 0.3 s by the script's own clock, " in terminal.raw


def test_the_help_says_what_the_clock_of_a_script_is() -> None:
    helped = echotui("faults", "run", "--help").stdout
    for word in ("`seconds`", "`lasts`", "patience", "script's own clock", "everybody's clock"):
        assert word in helped


async def test_a_script_that_is_interrupted_decides_nothing_and_leaves_nothing(loop: Loop) -> None:
    del loop
    step = 'fault = "stop-reading"\ninto = { server = "sockets" }'
    text = script(step, expect="others_keep_echoing = true", seconds=600, patience=60, servers=["sockets"])
    interrupt = asyncio.get_running_loop().create_future()
    interrupt.set_result("at once")
    report = await run_script(read(text), interrupt=interrupt)
    assert report.interrupted
    assert [verdict.met for verdict in report.verdicts] == [None]
    assert report.failed == []
    assert not report.passed


@pytest.mark.parametrize(
    ("text", "why"), [(None, "cannot read "), ("seed = x", "not TOML: "), ("\0", "not TOML: "), ("[[step]]", "step 1")]
)
def test_the_command_line_exits_2_with_one_line_for_a_bad_file(tmp_path: Path, text: str | None, why: str) -> None:
    file = tmp_path / "bad.toml"
    if text is not None:
        file.write_text(text)
    done = echotui("faults", "run", str(file))
    assert (done.returncode, done.stdout) == (2, "")
    assert why in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_file_is_read_no_further_than_a_script_can_be_long_and_may_begin_with_a_byte_order_mark(
    tmp_path: Path,
) -> None:
    file = tmp_path / "large.toml"
    file.write_bytes(codecs.BOM_UTF8 + script().encode() + b"#" * 1000)
    assert load(file) == read(script())
    with file.open("r+b") as large:
        large.truncate(2**40)  # a hole: it takes no room on the disk, and no memory can hold it
    with pytest.raises(BadScript, match="it is larger than 1024 KiB: that is not a script of faults"):
        load(file)


def test_the_catalogue_is_printed_as_a_table_and_as_json() -> None:
    table, rows = echotui("faults", "list"), echotui("faults", "list", "--json")
    assert (table.returncode, rows.returncode) == (0, 0)
    kinds = [json.loads(line) for line in rows.stdout.splitlines()]
    for kind in kinds:
        assert f"{kind['name']:16} {kind['sentence']} [" in table.stdout
    (latency,) = (kind for kind in kinds if kind["name"] == "latency")
    assert latency["parameters"][0] == {
        "name": "ms",
        "sentence": "how much later",
        "default": 100.0,
        "unit": "ms",
        "allowed": "0 to 60000 ms",
    }


@pytest.mark.parametrize(
    "text",
    ["seed = " + "9" * 5000, "seed = 0x" + "f" * 9000, "title = " + "[" * 3000 + "]" * 3000],
    ids=["digits", "hex", "deep"],
)
def test_what_cannot_even_be_written_down_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(BadScript) as refused:
        read(text)
    assert len(str(refused.value)) < 300


async def test_clients_that_find_no_descriptor_have_lost_their_echo_and_the_script_goes_on() -> None:
    down = 'fault = "down"\ninto = { server = "sockets" }\nafter = { seconds = 0.1 }\nlasts = 0.5'
    none_left = 'fault = "no-descriptors"\ninto = { loop = true }\nafter = { seconds = 0.2 }\nlasts = 0.4'
    report = await run_script(
        read(script(down, none_left, expect="broken = 2", seconds=1, servers=["sockets"], clients=2))
    )
    assert [verdict.met for verdict in report.verdicts] == [True]
