"""The client for programs with an event loop. ``generate.py`` makes ``_sync`` of this folder."""
