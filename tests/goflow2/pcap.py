#!/usr/bin/env python3
"""Writes a packet capture and what is in it: `pcap.py CAPTURE EXPECTED`.

CAPTURE is a pcap file of UDP packets, IPv4 and IPv6, without link layer. EXPECTED is JSON: by destination
prefix (/32 and /24, /128 and /64) the sum of IP bytes and of packets, and the number of flows.
Standard library only; the same output each time.
"""

import ipaddress
import json
import random
import struct
import sys

RAW_IP = 101  # LINKTYPE_RAW: packets begin with their IP header
START = 1_790_000_000  # seconds since the epoch
PREFIX_LENGTHS = {4: (32, 24), 6: (128, 64)}


def flows(choose):
    """(source, source port, destination, sizes of its packets' payloads)"""
    hosts = [f"198.51.100.{choose.randrange(1, 255)}" for _ in range(20)]
    hosts += [f"203.0.113.{choose.randrange(1, 255)}" for _ in range(10)]
    hosts += [f"2001:db8:{choose.randrange(4):x}::{choose.randrange(1, 9):x}" for _ in range(10)]
    for number in range(400):
        destination = ipaddress.ip_address(choose.choice(hosts))
        source = "192.0.2.1" if destination.version == 4 else "2001:db8:ffff::1"
        sizes = [choose.randrange(1, 1400) for _ in range(choose.randrange(1, 12))]
        # Each flow has a source port of its own, so that no two are one.
        yield ipaddress.ip_address(source), 10_000 + number, destination, sizes


def packet(source, port, destination, size):
    udp = struct.pack("!HHHH", port, 53, 8 + size, 0) + bytes(size)
    if destination.version == 4:
        head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0)
    else:
        head = struct.pack("!IHBB", 6 << 28, len(udp), 17, 64)
    return head + source.packed + destination.packed + udp


def main():
    capture, expected = sys.argv[1:]
    choose = random.Random(3)
    packets, sums = [], {}
    for source, port, destination, sizes in flows(choose):
        data = [packet(source, port, destination, size) for size in sizes]
        packets += [(choose.randrange(20_000_000), one) for one in data]
        for length in PREFIX_LENGTHS[destination.version]:
            prefix = str(ipaddress.ip_network((destination, length), strict=False))
            volume = sums.setdefault(prefix, {"bytes": 0, "packets": 0, "flows": 0})
            volume["bytes"] += sum(map(len, data))
            volume["packets"] += len(data)
            volume["flows"] += 1
    packets.sort()
    with open(capture, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, RAW_IP))
        for micros, data in packets:
            seconds, micros = divmod(micros, 1_000_000)
            out.write(struct.pack("<IIII", START + seconds, micros, len(data), len(data)) + data)
    with open(expected, "w") as out:
        json.dump(sums, out, indent=1)


main()
