#!/usr/bin/env python3
"""hotprefix's ancestor: `peer.py BOOTSTRAP TOPIC GROUP all|ancestor RECORDS`.

Counts the bytes of the first RECORDS records of a topic in a trie of bits, and at the end of each minute
reports the most specific prefixes over 100 MiB. Then it writes a line of JSON. With fewer records it waits for
more. A flow of an earlier minute counts in the one that is open; there are no transactions.

It needs `flow_pb2`, which protoc makes of flow.proto.
"""

import ipaddress
import json
import sys
import time

from confluent_kafka import Consumer
from flow_pb2 import Flow
from google.protobuf.message import DecodeError

LIMIT = 100 * 1024**2
MINUTE = 60

# A node is a list: the nodes below it by the next bit, and its bytes.
BYTES = 2


def add(root, address, size):
    """Adds to the node of every prefix of an address."""
    root[BYTES] += size
    node = root
    for octet in address:
        for shift in range(7, -1, -1):
            bit = octet >> shift & 1
            child = node[bit]
            if child is None:
                child = node[bit] = [None, None, 0]
            child[BYTES] += size
            node = child


def most_specific(node, value, length, width):
    """The prefixes over the limit without one inside them that is, and their bytes."""
    if node is None or node[BYTES] <= LIMIT:
        return []
    found = []
    for bit in (0, 1):
        found += most_specific(node[bit], value << 1 | bit, length + 1, width)
    if not found:
        packed = (value << width - length).to_bytes(width // 8, "big")
        found = [(ipaddress.ip_network((packed, length)), node[BYTES])]
    return found


class Minute:
    """The tries of one minute, by the length of addresses."""

    def __init__(self, start):
        self.start = start
        self.roots = {4: [None, None, 0], 16: [None, None, 0]}

    def add(self, address, size):
        root = self.roots.get(len(address))
        if root is not None:
            add(root, address, size)

    def report(self):
        prefixes = []
        for octets, root in self.roots.items():
            prefixes += most_specific(root, 0, 0, octets * 8)
        for prefix, size in prefixes:
            rate = size * 8 / MINUTE / 1e6
            print(f"{self.start} {prefix} {rate:.1f} Mbit/s", file=sys.stderr)
        return len(prefixes)


def decode(value):
    """A flow, which may be behind its length, or None."""
    if value is None:
        return None
    length = shift = start = 0
    for octet in value[:5]:
        length |= (octet & 0x7F) << shift
        shift += 7
        start += 1
        if octet < 0x80:
            break
    if length == len(value) - start:
        value = value[start:]
    try:
        return Flow.FromString(value)
    except DecodeError:
        return None


def is_selected(flow, rule):
    if rule == "all":
        return True
    return flow.flow_direction == 0 and ("DFN" in flow.src_if_desc or "DFN" in flow.src_if_desc_2)


def values(consumer):
    while True:
        for message in consumer.consume(1000, 1.0):
            if message.error():
                sys.exit(str(message.error()))
            yield message.value()


def main():
    bootstrap, topic, group, rule, records = sys.argv[1:]
    records = int(records)
    if rule not in ("all", "ancestor"):
        sys.exit(f"no rule {rule}")
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": group, "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    minute = Minute(0)
    seen = selected = size = prefixes = 0
    begin = None
    for value in values(consumer):
        if begin is None:
            begin = time.monotonic()
        seen += 1
        flow = decode(value)
        if flow is not None and flow.dst_addr and is_selected(flow, rule):
            start = (flow.time_received_ns // 10**9 or flow.time_received) // MINUTE * MINUTE
            if start > minute.start:
                prefixes += minute.report()
                minute = Minute(start)
            minute.add(flow.dst_addr, flow.bytes)
            selected += 1
            size += flow.bytes
        if seen == records:
            break
    prefixes += minute.report()
    seconds = time.monotonic() - begin
    consumer.close()
    result = {"records": seen, "selected": selected, "seconds": round(seconds, 3), "bytes": size, "prefixes": prefixes}
    print(json.dumps(result, separators=(",", ":")), flush=True)


if __name__ == "__main__":
    main()
