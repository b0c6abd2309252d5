"""States in, forecasts and their scores out."""
