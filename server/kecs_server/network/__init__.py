"""How what tasks listen at is reached: addresses and host ports, and the server's forwarders.

One set of rules over both engines, which only offer `connect`.
"""
