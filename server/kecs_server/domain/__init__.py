"""What ECS knows and decides, as records and pure functions: no I/O, no clock, no locks.

Structures that clients send and get back whole (container definitions, network configurations)
stay in their wire form; what the server reasons about has a record of its own.
"""
