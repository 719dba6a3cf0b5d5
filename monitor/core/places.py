"""How the place of a record is told: in a file by its byte, of a broker by the number of the message."""

from __future__ import annotations


def of_messages(file_id: str) -> bool:
    """Whether an origin of this id hands out messages: then the id begins with the kind of its source and a colon.

    >>> of_messages("kafka:orders/3"), of_messages("0b7e4dd1c2a94d5f")
    (True, False)
    """
    return ":" in file_id


def place(file_id: str, path: str, offset: int) -> str:
    """A place for a person.

    >>> place("0b7e4dd1c2a94d5f", "/var/log/x", 1200), place("kafka:orders/3", "kafka:orders/3", 1200)
    ('/var/log/x, byte 1,200', 'kafka:orders/3, message 1,200')
    """
    return f"{path}, {unit(file_id)} {offset:,}"


def unit(file_id: str) -> str:
    """What is counted."""
    return "message" if of_messages(file_id) else "byte"
