"""How property-based tests run here: the same examples each time, and no clock that could fail them."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile(
    "kalends", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("kalends")
