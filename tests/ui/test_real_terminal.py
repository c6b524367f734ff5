"""What a person sees and does: the app on a pty, real clients on its ports, keys and signals."""

import os
import re
import shutil
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import psutil
import pytest
from support import PATIENCE, a_listener_between_free_ports, reset
from support_terminal import ECHOTUI, Terminal, echotui, ports_in

HOSTILE = b"\x1b]0;owned\x07\x1b[2J[/b][@click=app.quit]x\r\n"

sizes = pytest.mark.parametrize(("width", "height"), [(140, 45), (80, 24)])


def peer(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), PATIENCE)


def echoes(sock: socket.socket, data: bytes) -> bool:
    sock.sendall(data)
    heard = b""
    while len(heard) < len(data) and (more := sock.recv(4096)):
        heard += more
    return heard == data


def cursor_on(terminal: Terminal, connection: int) -> None:
    """Put the cursor on the newest connection, which should be this one."""
    terminal.press("g")
    terminal.wait(lambda: bool(re.search(rf"▸ +{connection}  ", terminal.text)), f"the cursor on {connection}")


@sizes
def test_peers_appear_speak_and_boom_and_the_others_go_on(loop_kind: str, width: int, height: int) -> None:
    with (
        echotui("--loop", loop_kind, width=width, height=height) as (terminal, ports),
        peer(ports["selectors"]) as one,
        peer(ports["sockets"]) as two,
        peer(ports["sockets"]) as three,
    ):
        terminal.shows("Connections · 3 open · 0 ended")
        assert echoes(one, b"first\r\n")
        assert echoes(two, b"second\r\n")
        terminal.shows(r"first\r\n", r"second\r\n")
        three.sendall(b"boom\r\n")
        assert three.recv(100) == b""
        terminal.shows("Connections · 2 open · 1 ended", "handled, socket closed")
        assert echoes(one, b"still here\r\n")
        assert echoes(two, b"me too\r\n")
        terminal.shows(r"still here\r\n", r"me too\r\n")


def test_b_booms_and_x_ends_the_selected_connection_only(loop_kind: str) -> None:
    with echotui("--loop", loop_kind) as (terminal, ports), peer(ports["sockets"]) as one:
        terminal.shows("Connections · 1 open")
        with peer(ports["sockets"]) as two:
            terminal.shows("Connections · 2 open")
            with peer(ports["selectors"]) as three:
                terminal.shows("Connections · 3 open")
                cursor_on(terminal, 3)
                terminal.press("b")
                terminal.shows("2 open · 1 ended", "KeyboardBoom", "(by keyboard)")
                assert three.recv(100) == b""
                cursor_on(terminal, 2)
                terminal.press("x")
                terminal.shows("1 open · 2 ended", "cancelled by the keyboard")
                assert two.recv(100) == b""
                assert echoes(one, b"hello\r\n")


def test_nothing_a_peer_says_reaches_the_terminal_raw(loop_kind: str) -> None:
    with (
        echotui("--loop", loop_kind) as (terminal, ports),
        peer(ports["selectors"]) as one,
        peer(ports["sockets"]) as two,
    ):
        for sock in (one, two):
            assert echoes(sock, HOSTILE)
        terminal.shows(r"\x1b]0;owned\x07\x1b[2J[/b][@click=app.quit]x\r\n")
        assert echoes(one, "\u202ertl \u200b\x9b31m \0 \xff".encode() + b"\xff\xfe\r\n")
        terminal.shows(r"\u202ertl \u200b\x9b31m \x00 ÿ\xff\xfe\r\n")
        terminal.press("q")
        assert terminal.status() == 0
        assert b"owned\x07" not in terminal.raw
        assert b"\x1b]0;" not in terminal.raw
        assert b"\x1b[2J[" not in terminal.raw
        for character in "\u202e\u200b\x9b":
            assert character.encode() not in terminal.raw


def test_the_error_treatments_can_be_switched_and_seen(loop_kind: str) -> None:
    with echotui("--loop", loop_kind) as (terminal, ports):
        terminal.shows("errors: handled")
        terminal.press("e")
        terminal.shows("errors: unretrieved")
        with peer(ports["sockets"]) as one:
            one.sendall(b"boom\r\n")
            terminal.shows("left open", "Task exception was never retrieved")
        terminal.press("e")
        terminal.shows("errors: retained")
        with peer(ports["sockets"]) as two:
            two.sendall(b"boom\r\n")
            terminal.shows("unheard: somebody keeps the task")


def test_a_built_in_client_chats_with_the_selected_server(loop_kind: str) -> None:
    with echotui("--loop", loop_kind) as (terminal, _):
        terminal.press("C")
        terminal.shows("1 open", r"hello 1\r\n", "built-in client")


@sizes
def test_a_filter_is_typed_fast_and_takes_no_key_for_a_command(width: int, height: int) -> None:
    with (
        echotui(width=width, height=height) as (terminal, ports),
        peer(ports["selectors"]),
        peer(ports["sockets"]),
    ):
        terminal.shows("2 open")
        terminal.press("/sockets beqx")
        terminal.shows("filter: sockets beqx", "nothing matches the filter")
        terminal.press("\x7f" * 5)
        terminal.shows("filter: sockets", "1–1 of 1")
        terminal.press("\x1b")
        terminal.shows("1–2 of 2")
        assert terminal.process.poll() is None


def test_a_filter_that_is_wrong_says_why() -> None:
    with echotui() as (terminal, _):
        terminal.press("/colour:red")
        terminal.shows("there is no field 'colour' here, only id, server, peer, state, said")


@sizes
def test_frames_draw_what_textual_composes_to_the_last_cell_and_its_colours(
    loop_kind: str, width: int, height: int
) -> None:
    """A frame's lines go straight to the terminal; all else, as what comes to light behind a dialog, is composed."""
    with echotui("--loop", loop_kind, width=width, height=height) as (terminal, ports), peer(ports["sockets"]) as one:
        # The header counts while the view is paused.
        for key, title in (("2", "Timers"), ("3", "Tasks"), ("1", "Connections")):
            terminal.press(key)
            terminal.shows(title)
            for _ in range(300):
                assert echoes(one, b"round and round\r\n")
            terminal.press(" ")
            terminal.shows("PAUSED")
            terminal.read(0.2)  # all of it
            before = terminal.cells_below(1)
            terminal.press("?")
            terminal.wait(lambda: terminal.cells_below(1) != before, "the help")  # noqa: B023 - waited for in here
            terminal.press("\x1b")
            terminal.wait(lambda: terminal.cells_below(1) == before, "the same as before")  # noqa: B023
            terminal.press(" ")
            terminal.shows_no("PAUSED")


def test_pause_freezes_the_view_and_says_what_has_come_in_since() -> None:
    with echotui() as (terminal, ports):
        terminal.press(" ")
        terminal.shows("PAUSED, ")
        with peer(ports["sockets"]) as one:
            assert echoes(one, b"unseen\r\n")
            terminal.wait(lambda: bool(re.search(r"PAUSED, [1-9]\d* events since", terminal.text)), "events to come in")
            assert "unseen" not in terminal.text
            terminal.press(" ")
            terminal.shows(r"unseen\r\n", "1 open")


def test_the_signal_key_asks_and_then_really_sends_and_the_app_stays(loop_kind: str) -> None:
    with echotui("--loop", loop_kind, "--drain", "0") as (terminal, ports), peer(ports["sockets"]):
        terminal.press("s")
        terminal.shows("Send a signal to this process", "SIGTERM: what kill")
        terminal.press("\x1b")
        terminal.shows_no("Send a signal to this process")
        terminal.press("s")
        terminal.shows("Send a signal to this process")
        terminal.press("\x1b[B", "\x1b[B", "\r")
        terminal.shows("○ stopped: r starts again")
        with pytest.raises(ConnectionRefusedError):
            peer(ports["sockets"])
        terminal.press("r")
        terminal.shows_no("stopped: r starts again")
        with peer(ports["sockets"]) as again:
            assert echoes(again, b"back\r\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_from_outside_drains_restores_the_terminal_and_sets_the_status(
    loop_kind: str, number: signal.Signals
) -> None:
    with echotui("--loop", loop_kind) as (terminal, ports), peer(ports["selectors"]) as one:
        terminal.shows("1 open")
        terminal.process.send_signal(number)
        terminal.shows("draining, 1 open")
        assert echoes(one, b"what is open is still served\r\n")
        one.shutdown(socket.SHUT_WR)
        assert one.recv(100) == b""
        assert terminal.status() == 128 + number
        assert terminal.modes == terminal.modes_before
        assert b"\x1b[?1049l" in terminal.raw


def test_a_second_signal_ends_it_at_once_although_a_peer_never_finishes(loop_kind: str) -> None:
    with echotui("--loop", loop_kind, "--drain", "600") as (terminal, ports), peer(ports["sockets"]):
        terminal.shows("1 open")
        terminal.process.send_signal(signal.SIGTERM)
        terminal.shows("draining, 1 open")
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.status() == 128 + signal.SIGTERM
        assert terminal.modes == terminal.modes_before


def test_a_terminal_that_takes_no_output_does_not_keep_it_from_ending(loop_kind: str) -> None:
    with echotui("--loop", loop_kind, "--drain", "0") as (terminal, ports), peer(ports["sockets"]) as one:
        for number in range(3000):  # each line is drawn, until the pty is full: nobody reads it
            assert echoes(one, b"line %d\r\n" % number)
        os.kill(terminal.process.pid, signal.SIGTERM)
        assert terminal.process.wait(PATIENCE) == 128 + signal.SIGTERM
        assert terminal.modes == terminal.modes_before


def test_a_terminal_that_is_closed_ends_it_although_no_signal_comes(loop_kind: str) -> None:
    with echotui("--loop", loop_kind, "--drain", "0.2") as (terminal, ports), peer(ports["sockets"]) as one:
        assert echoes(one, b"hello\r\n")
        terminal.close()
        assert one.recv(100) == b""
        assert terminal.process.wait(PATIENCE) == 128 + signal.SIGHUP


def test_a_signal_to_go_on_that_nobody_had_stopped_for_changes_nothing(loop_kind: str) -> None:
    with echotui("--loop", loop_kind) as (terminal, ports), peer(ports["sockets"]) as one:
        # So many that one comes while the app still does what the one before it asked for.
        for _ in range(300):
            os.kill(terminal.process.pid, signal.SIGCONT)
        assert echoes(one, b"hello\r\n")
        terminal.shows(r"hello\r\n")
        terminal.press("/nobody")
        terminal.shows("filter: nobody", "nothing matches the filter")
        terminal.press("\x1b")
        terminal.shows("1–1 of 1")
        terminal.press("q")
        assert terminal.status() == 0
        assert terminal.modes == terminal.modes_before


def test_reset_peers_leave_with_their_reason(loop_kind: str) -> None:
    with echotui("--loop", loop_kind) as (terminal, ports):
        for server in ports:
            sock = peer(ports[server])
            assert echoes(sock, b"hello\r\n")
            reset(sock)
        terminal.shows("0 open · 2 ended", "Connection reset by peer")


def test_a_taken_port_is_said_in_its_row_and_the_others_serve() -> None:
    with a_listener_between_free_ports() as taken:
        port = taken.getsockname()[1]
        with Terminal(ECHOTUI, "--port", str(port), "--servers", "selectors,sockets") as terminal:
            terminal.shows("✗ failed", f"port {port} is taken by another program", "◐ serving in part", "r restart")


def test_help_and_the_palette_name_what_can_be_done() -> None:
    with echotui() as (terminal, _):
        terminal.press("?")
        terminal.shows("Help", "Let the selected connection's handler raise")
        terminal.press("G")
        terminal.shows("reads that brought data")
        terminal.press("\x1b")
        terminal.shows_no("reads that brought data")
        terminal.press("\x10")
        terminal.shows("Search for commands")
        terminal.press("built-in\r")
        terminal.shows("1 open", "starts to chat")


def test_a_question_that_is_answered_several_times_at_once_has_one_answer() -> None:
    with echotui("--drain", "8") as (terminal, ports), peer(ports["sockets"]) as one:
        assert echoes(one, b"hello\r\n")
        terminal.press("s")
        terminal.shows("Send a signal")
        terminal.press("\x1b[B\r\r\r\r")
        terminal.shows("◐ draining, 1 open, 7.")
        assert echoes(one, b"a second signal would have cut this short\r\n")


def test_a_form_that_is_sent_several_times_at_once_injects_one_fault() -> None:
    with echotui() as (terminal, _):
        terminal.press("4", "g", *["\x1b[B"] * 10)
        terminal.shows("every answer is sent later", "▸ connection  latency")
        terminal.press("\r")
        terminal.shows("Inject latency", "how much later")
        terminal.press("\r\r\r\r")
        # The other three acted on the fault that has the keys now, and may have led anywhere.

        def is_back() -> bool:
            for key in ("\x1b", "4"):  # both at once would be alt+4
                terminal.press(key)
                terminal.read(0.2)
            return "1 active · 0 over" in terminal.text

        terminal.wait(is_back, "back at the faults")


@pytest.mark.parametrize(
    "burst",
    [
        pytest.param("\x10\x1b[B\x1b[6~\x1b[6~\x1b[5~", id="pages of a list that is not laid out yet"),
        pytest.param("\x10theme\r\r\r\r\r\r", id="a command chosen again and again"),
        pytest.param("s\x1b[B\x1b[6~\x1b[6~\r\r", id="pages of a question"),
        pytest.param("\x10nothing is called so", id="a search that is left before it says that it finds nothing"),
    ],
)
def test_keys_that_come_faster_than_the_screen_end_nothing(burst: str) -> None:
    with echotui("--drain", "0") as (terminal, _):
        for _ in range(3):
            terminal.press(burst)
            terminal.read(0.2)

        def goes_to_another_view() -> bool:
            for key in ("\x1b", "5"):
                terminal.press(key)
                terminal.read(0.2)
            return "echotui › Shutdown" in terminal.text

        terminal.wait(goes_to_another_view, "waiting for another view")
        assert terminal.process.poll() is None


def fills(terminal: Terminal, width: int, height: int) -> bool:
    """Return whether the Live view reaches from the first line to the last, and from edge to edge."""
    lines = terminal.text.splitlines()
    return (
        "echotui › Live" in lines[0]
        and len(lines) == height
        and len(lines[-2]) == width
        and "q quit" in lines[-1]
        and "Connections · 1 open" in terminal.text
    )


def test_a_terminal_that_changes_its_size_is_filled_again_at_once(loop_kind: str) -> None:
    with echotui("--loop", loop_kind) as (terminal, ports), peer(ports["sockets"]) as one:
        for width, height in [(80, 24), (200, 60), (20, 5), (1, 1), (100, 30), (140, 45)]:
            terminal.resize(width, height)
            assert echoes(one, b"hello\r\n")
            if width >= 80:
                terminal.wait(partial(fills, terminal, width, height), f"{width}×{height}")
        assert terminal.process.poll() is None


def test_read_only_offers_nothing_that_changes_anything() -> None:
    with echotui("--read-only") as (terminal, ports), peer(ports["sockets"]) as one:
        terminal.shows("1 open", "/ filter")
        assert "boom" not in terminal.text.splitlines()[-1]
        terminal.press("b", "x", "s")
        assert echoes(one, b"hello\r\n")
        terminal.shows(r"hello\r\n")
        assert "Send a signal" not in terminal.text


def test_leaving_says_what_there_was() -> None:
    with echotui() as (terminal, ports), peer(ports["sockets"]) as one:
        assert echoes(one, b"hello\r\n")
        terminal.press("q")
        assert terminal.status() == 0
        assert "sockets    1 connection, 7 B in, 7 B out, 0 booms" in terminal.text
        assert terminal.modes == terminal.modes_before


def test_after_a_stop_everything_is_drawn_again_and_keys_work(loop_kind: str) -> None:
    with echotui("--loop", loop_kind) as (terminal, _):
        process = psutil.Process(terminal.process.pid)
        threads = process.num_threads()
        for _ in range(2):
            terminal.process.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, terminal.process.pid, os.WSTOPPED | os.WNOWAIT)
            terminal.read(0.02)
            terminal.forget()
            terminal.process.send_signal(signal.SIGCONT)
            terminal.shows("echotui › Live", "╭─ Servers", "selectors", "╭─ Events", "? help")
        terminal.press("2")
        terminal.shows("echotui › Loop")
        # Two descriptors of the terminal's own opening, and no more after two stops than before.
        descriptors = [str(entry.readlink()) for entry in Path(f"/proc/{terminal.process.pid}/fd").iterdir()]
        assert descriptors.count(os.ttyname(terminal.slave)) == 5
        assert process.num_threads() == threads
        terminal.press("q")
        assert terminal.status() == 0
        assert terminal.modes == terminal.modes_before


def test_ctrl_z_gives_the_terminal_back_and_going_on_takes_it_again(loop_kind: str) -> None:
    with echotui("--loop", loop_kind) as (terminal, ports), peer(ports["sockets"]) as one:
        for number in range(2):
            terminal.press("\x1a")
            terminal.wait(lambda: _is_stopped(terminal.process.pid), "waiting for the stop")
            assert terminal.modes == terminal.modes_before
            terminal.process.send_signal(signal.SIGCONT)
            assert echoes(one, b"again %d\r\n" % number)
            terminal.shows("echotui › Live", rf"again {number}\r\n")
            assert terminal.modes != terminal.modes_before
        terminal.press("q")
        assert terminal.status() == 0
        assert terminal.modes == terminal.modes_before


def test_ctrl_z_that_is_held_down_stops_it_and_it_goes_on(loop_kind: str) -> None:
    with echotui("--loop", loop_kind) as (terminal, ports), peer(ports["sockets"]) as one:
        terminal.press("\x1a" * 6)
        terminal.wait(lambda: _is_stopped(terminal.process.pid), "waiting for the stop")

        def goes_on() -> bool:
            if _is_stopped(terminal.process.pid):
                terminal.process.send_signal(signal.SIGCONT)
            return r"there again\r\n" in terminal.text

        one.sendall(b"there again\r\n")
        terminal.wait(goes_on, "waiting for it to go on")
        terminal.press("q")
        assert terminal.status() == 0
        assert terminal.modes == terminal.modes_before


def _is_stopped(pid: int) -> bool:
    return psutil.Process(pid).status() == psutil.STATUS_STOPPED


def test_a_key_cut_in_two_is_one_key_and_an_escape_alone_is_one() -> None:
    with echotui() as (terminal, _):
        terminal.press("?")
        terminal.shows("╭─ Help")
        terminal.press("\x1b")
        terminal.shows_no("╭─ Help")
        terminal.press("?")
        terminal.shows("╭─ Help")
        terminal.press("\x1b[", "B")
        terminal.type(b"\xff\xfe")  # no text in any encoding of ours
        terminal.press("\x1b")
        terminal.shows_no("╭─ Help")


@contextmanager
def a_job(*options: str) -> Iterator[tuple[Terminal, psutil.Process, dict[str, int]]]:
    """Run the app as a job of a shell."""
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("there is no bash")
    with Terminal(bash, "--norc", "--noprofile", "-i") as terminal:
        terminal.press(f"{ECHOTUI} --port 0 --drain 0.2 {' '.join(options)}\r")
        terminal.shows("╭─ Servers", "selectors", "sockets", " serving")
        (job,) = psutil.Process(terminal.process.pid).children()
        try:
            yield terminal, job, dict(ports_in(terminal.text))
        finally:
            with suppress(psutil.NoSuchProcess):
                job.kill()


def test_in_the_background_it_serves_and_in_the_foreground_it_draws_again() -> None:
    with a_job() as (terminal, job, ports), peer(ports["sockets"]) as one:
        terminal.press("\x1a")
        terminal.wait(lambda: _is_stopped(job.pid), "waiting for the stop")
        terminal.press("bg\r")
        assert echoes(one, b"in the background\r\n")
        assert not _is_stopped(job.pid)
        terminal.press("fg\r")
        terminal.shows(r"in the background\r\n")
        terminal.press("q")
        terminal.wait(lambda: not job.is_running() or job.status() == psutil.STATUS_ZOMBIE, "waiting for the exit")


def test_a_signal_ends_it_in_the_background() -> None:
    with a_job() as (terminal, job, _):
        terminal.press("\x1a")
        terminal.wait(lambda: _is_stopped(job.pid), "waiting for the stop")
        terminal.press("kill %1\r")
        terminal.wait(lambda: not job.is_running() or job.status() == psutil.STATUS_ZOMBIE, "waiting for the exit")
