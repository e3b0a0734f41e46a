"""What exists: realms, each a world of its own with its stores, clock, version and timeline.

May import `domain`. Every change happens under the realm's lock and is published by it.
"""
