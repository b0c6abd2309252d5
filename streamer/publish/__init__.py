"""Forecasts in, messages out."""
