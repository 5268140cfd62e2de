"""The service for other front ends: HTTP and WebSocket over what the plant has ([api.md](../docs/api.md)).

It keeps no state of its own: what it reads are rows of the plant, and what it changes becomes rows of it.
"""
