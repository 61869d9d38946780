"""A service in Python that shares events with Tidings: it reads orders and says that mail was sent.

Usage: mailer.py BOOTSTRAP ORDERS_TOPIC MAILS_TOPIC [COUNT]   (ends after COUNT orders, if given)
"""

import json
import sys
import uuid
from datetime import datetime, timezone

from confluent_kafka import Consumer, Producer

SOURCE = "/mailer-python"
HANDLED = "com.example.order.placed.v1"
# Any fixed UUID will do: it only keeps these names apart from others' names.
NAMES = uuid.UUID("6f0c5a52-9ac1-4f0e-9c0e-2f1f5f9a7f11")


def read_event(record):
    """The CloudEvents attributes of a record in binary mode, or None if it is no event."""
    headers = {name: (value or b"").decode() for name, value in record.headers() or []}
    if headers.get("ce_specversion") != "1.0":
        return None
    return {name[3:]: value for name, value in headers.items() if name.startswith("ce_")}


def mail_sent(cause, order):
    """Headers and data of the event that `cause` brings about."""
    # Derived, not random: if this service dies before its commit, the second run publishes the
    # same (source, id) again, and everybody downstream knows that it is the same event.
    name = f"{cause['source']} {cause['id']} mail.sent"
    attributes = {
        "specversion": "1.0",
        "id": str(uuid.uuid5(NAMES, name)),
        "source": SOURCE,
        "type": "com.example.mail.sent.v1",
        "time": datetime.now(timezone.utc).isoformat().replace("+00:00", "Z"),
        "subject": cause.get("subject", ""),
        "causationid": cause["id"],
        "correlationid": cause.get("correlationid", cause["id"]),
    }
    headers = [(f"ce_{key}", value.encode()) for key, value in attributes.items() if value]
    headers.append(("content-type", b"application/json"))
    return headers, json.dumps({"order_id": order["order_id"], "to": order["customer"]})


def main(bootstrap, orders, mails, count=None):
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "mailer-python",
            "auto.offset.reset": "earliest",
            # The offset moves when the mail's event is acknowledged, not by the clock.
            "enable.auto.commit": False,
        }
    )
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "enable.idempotence": True,
            # Java's and Tidings' choice, so that a key is in the same partition for everybody.
            "partitioner": "murmur2_random",
        }
    )
    consumer.subscribe([orders])
    handled = 0
    while count is None or handled < int(count):
        record = consumer.poll(1.0)
        if record is None:
            continue
        if record.error():
            raise RuntimeError(record.error())
        cause = read_event(record)
        if cause is not None and cause["type"] == HANDLED:
            headers, data = mail_sent(cause, json.loads(record.value()))
            producer.produce(
                mails, data, key=record.key(), headers=headers, on_delivery=acknowledged
            )
            if producer.flush(30):
                raise RuntimeError("the broker does not acknowledge")
            handled += 1
        consumer.commit(record, asynchronous=False)
    consumer.close()


def acknowledged(error, _record):
    if error is not None:
        raise RuntimeError(error)


if __name__ == "__main__":
    main(*sys.argv[1:])
