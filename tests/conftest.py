"""Fixtures for all tests, and what holds for all property tests: none is timed, since a busy machine is slow."""

from hypothesis import settings

pytest_plugins = ["tests.broker"]

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
