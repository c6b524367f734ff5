"""A conversation that is counted: every byte once, whatever faults and the keyboard want meanwhile."""

from hypothesis import given
from hypothesis import strategies as st

from echotui.server.conversation import Conversation
from echotui.server.counting import LAST_KEPT, Tally
from echotui.server.exchange import FAIR_SHARE, Exchange
from echotui.server.faults.link import Link
from echotui.server.journal import Journal
from echotui.server.native import BRIEF
from echotui.server.records import Connection, ServerRecord

WORDS = [b"a\n", b"bo", b"om", b"\r", b"\n", b"boom\r\n", b"x" * BRIEF, b"x" * (BRIEF + 1), b"x" * 300]
PIECES = st.lists(st.sampled_from(WORDS) | st.binary(min_size=1))


def an_exchange(*, upper: bool = False, awaits: bool = True, detail_rate: int | None = 0) -> Exchange:
    record = ServerRecord("sockets", "await sock_recv", "127.0.0.1", 8001)
    connection = Connection(id=1, server="sockets", peer="127.0.0.1:50000", fd=10, opened_at=0.0)
    return Exchange(Tally(record, Journal(detail_rate=detail_rate)), connection, upper=upper, awaits=awaits)


@given(PIECES)
def test_it_answers_as_the_conversation_does_and_counts_each_byte_once(pieces: list[bytes]) -> None:
    exchange, plain = an_exchange(), Conversation()
    for piece in pieces:
        assert exchange.take(piece) == plain.receive(piece)
        exchange.settle()
        assert exchange.boomed is plain.boomed
    connection, totals = exchange.connection, exchange.tally.totals
    assert connection.reads == totals.reads == len(pieces)
    assert connection.bytes_in == totals.bytes_in == sum(map(len, pieces))
    plain = Conversation()
    assert connection.bytes_out == totals.bytes_out == sum(len(plain.receive(piece)) for piece in pieces)
    assert connection.unsent == 0
    assert connection.last_in == connection.frozen().last_in == (pieces[-1][:LAST_KEPT] if pieces else b"")


def test_what_is_returned_is_unsent_until_it_is_settled() -> None:
    exchange = an_exchange()
    assert exchange.take(b"hello\n") == b"hello\n"
    assert (exchange.connection.unsent, exchange.connection.bytes_out) == (6, 0)
    assert not exchange.settle()
    assert (exchange.connection.unsent, exchange.connection.bytes_out) == (0, 6)
    assert not exchange.settle()
    assert exchange.connection.bytes_out == 6


def test_what_a_transport_has_taken_is_sent_unless_it_keeps_some_and_a_boom_is_something_more_to_do() -> None:
    exchange = an_exchange(awaits=False)
    connection = exchange.connection
    assert exchange.take(b"hello\n") == b"hello\n"
    assert (connection.unsent, connection.bytes_out) == (0, 0)
    assert exchange.is_sent(6)
    assert (connection.unsent, connection.bytes_out) == (0, 6)
    connection.unsent = 2  # as a transport says that has to keep some of it
    assert not exchange.is_sent(6)
    assert (connection.unsent, connection.bytes_out) == (2, 6)
    connection.unsent = 0
    assert exchange.take(b"ab\nboom\n") == b"ab\n"
    assert not exchange.is_sent(3)
    assert (connection.unsent, connection.bytes_out) == (0, 9)


def test_what_was_cut_off_and_counted_meanwhile_is_not_counted_again() -> None:
    exchange = an_exchange()
    exchange.take(b"hello\n")
    exchange.tally.count_sent(exchange.connection, 2, 0)
    exchange.settle()
    assert (exchange.connection.unsent, exchange.connection.bytes_out) == (0, 2)


def test_what_was_cut_off_is_not_handed_out_once_more_for_a_fault_that_has_come_meanwhile() -> None:
    exchange = an_exchange()
    exchange.take(b"hello\n")
    exchange.connection.link = Link()
    exchange.tally.count_sent(exchange.connection, 2, 0)
    assert exchange.settle()
    assert exchange.answer == b""


def test_who_does_not_await_counts_by_itself_and_no_answer_is_kept() -> None:
    exchange = an_exchange(awaits=False)
    assert exchange.take(b"hello\n") == b"hello\n"
    assert exchange.answer == b""
    assert exchange.connection.unsent == 0
    exchange.settle()
    assert exchange.connection.bytes_out == 0


def test_nothing_is_to_be_sent_at_once_where_a_fault_has_a_say() -> None:
    exchange = an_exchange()
    exchange.connection.link = Link()
    assert exchange.take(b"hello\n") == b""
    assert (exchange.answer, exchange.connection.unsent) == (b"hello\n", 0)
    assert exchange.settle()
    exchange.connection.link = None
    assert exchange.take(b"again\n") == b"again\n"
    assert not exchange.settle()


def test_a_boom_by_keyboard_leaves_nothing_to_be_sent() -> None:
    exchange = an_exchange()
    exchange.connection.has_to_boom = True
    assert exchange.take(b"hello\n") == b""
    assert exchange.settle()


def test_what_comes_before_a_boom_is_answered_and_there_is_more_to_do() -> None:
    exchange = an_exchange()
    assert exchange.take(b"hello\nboom\nlost\n") == b"hello\n"
    assert exchange.settle()
    assert exchange.boomed


def test_it_is_time_for_others_after_a_fair_share_if_nobody_else_has_read() -> None:
    exchange = an_exchange(upper=True)
    for times in range(1, 3 * FAIR_SHARE + 1):
        assert exchange.take(b"hello\n") == b"HELLO\n"
        assert exchange.settle() is (times % FAIR_SHARE == 0)
        others = times == 2 * FAIR_SHARE
        exchange.tally.totals.reads += others
        assert exchange.has_had_its_share(FAIR_SHARE) is (times % FAIR_SHARE == 0 and not others)


def test_the_first_fair_share_is_as_long_as_the_others() -> None:
    first = an_exchange()
    first.take(b"hello\n")
    second = Exchange(first.tally, first.connection)
    for _ in range(FAIR_SHARE):
        second.take(b"hello\n")
    assert second.has_had_its_share(FAIR_SHARE)


def test_each_read_and_each_answer_is_told_while_somebody_looks() -> None:
    exchange = an_exchange(detail_rate=None)
    exchange.take(b"hello\n")
    exchange.settle()
    assert [entry.event.kind for entry in exchange.tally.details.since(0)] == ["received", "sent"]
