"""What a partition takes of the messages that came."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from monitor.core.records import Origin
from monitor.sources._kafka_partition import Partition


@pytest.fixture
def partition() -> Partition:
    return Partition("orders", 3, Origin("orders/3", 0, "orders/3"), next_number=10, committed=10)


@pytest.mark.parametrize(
    ("numbers", "payloads", "taken", "following"),
    [
        ([10, 11, 12], [b"a", b"b", b"c"], {10: b"a", 11: b"b", 12: b"c"}, 13),
        ([14, 19], [b"a", b"b"], {14: b"a", 19: b"b"}, 20),  # compacted, or of transactions
        ([8, 9, 10, 11], [b"a", b"b", b"c", b"d"], {10: b"c", 11: b"d"}, 12),  # fetched before its place was set
        ([10, 11, 12], [b"a", None, b"c"], {10: b"a", 12: b"c"}, 13),  # deleted
        ([10, 11], [b"a", None], {10: b"a"}, 12),
        ([8, 9], [b"a", b"b"], {}, 10),
    ],
)
def test_messages_are_taken_once_and_in_order(
    partition: Partition, numbers: list[int], payloads: Sequence[bytes | None], taken: dict[int, bytes], following: int
) -> None:
    partition.receive(numbers, payloads)

    assert dict(zip(partition.numbers, partition.payloads, strict=True)) == taken
    assert partition.next_number == following


def test_what_was_gathered_is_handed_on_once(partition: Partition) -> None:
    partition.receive([10], [b"a"])
    messages, receipt = partition.gathered()
    partition.receive([11], [b"b"])

    assert (messages.payloads, messages.numbers, messages.next_number) == ([b"a"], [10], 11)
    assert receipt.next_number == 11
    assert partition.payloads == [b"b"]
