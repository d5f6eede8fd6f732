#!/usr/bin/env python3
"""Exports NetFlow v5 until it is stopped: `netflow.py HOST PORT`.

Quiet traffic to 198.51.100.0/22, and in the first 20 s of each period of 60 s 400 Mbit/s to one host of it and
800 Mbit/s spread over a /24 of it. The first period begins at the start. Standard library only.
"""

import random
import socket
import struct
import sys
import time

PERIOD, ATTACK = 60, 20  # seconds
VICTIM = "198.51.100.7"
CARPET = "198.51.101."
FLOWS_PER_PACKET = 30  # what NetFlow v5 allows


def flow(uptime, destination, bits_per_second):
    """One record: what was sent to `destination` in the last second."""
    octets = bits_per_second // 8
    source = socket.inet_aton(f"203.0.113.{random.randrange(1, 255)}")
    packets = max(1, octets // 1000)
    addresses = source + socket.inet_aton(destination) + bytes(4)
    ports = struct.pack("!HH", random.randrange(1024, 65536), 443)
    volume = struct.pack("!HHIIII", 1, 2, packets, octets, uptime - 1000, uptime)
    return addresses + volume + ports + struct.pack("!BBBBHHBBH", 0, 0, 17, 0, 64500, 64501, 24, 22, 0)


def second(uptime, attacked):
    """The records of one second."""
    quiet = [f"198.51.{random.randrange(100, 104)}.{random.randrange(1, 255)}" for _ in range(100)]
    records = [flow(uptime, host, 100_000) for host in quiet]
    if attacked:
        records += [flow(uptime, VICTIM, 40_000_000) for _ in range(10)]
        records += [flow(uptime, CARPET + str(host), 4_000_000) for host in range(1, 201)]
    return records


def main():
    host, port = sys.argv[1], int(sys.argv[2])
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    started, sequence, tick = time.monotonic(), 0, 1
    while True:
        time.sleep(max(0, started + tick - time.monotonic()))
        uptime = 1_000_000 + tick * 1000
        records = second(uptime, tick % PERIOD < ATTACK)
        for at in range(0, len(records), FLOWS_PER_PACKET):
            some = records[at : at + FLOWS_PER_PACKET]
            now = time.time_ns()
            clock = struct.pack("!III", uptime, now // 10**9, now % 10**9)
            head = struct.pack("!HH", 5, len(some)) + clock + struct.pack("!IBBH", sequence, 0, 0, 0)
            sender.sendto(head + b"".join(some), (host, port))
            sequence += len(some)
        tick += 1


main()
