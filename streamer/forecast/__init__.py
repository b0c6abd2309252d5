"""Tick batches in; forecasts of every forecaster, their scores, and the choice of the published one out."""
