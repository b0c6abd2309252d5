"""All that the daemon holds of one stream: samples in, forecasts out, and when it is trained."""
