"""The two lanes: messages in and forecasts out; trainings in and networks out."""
