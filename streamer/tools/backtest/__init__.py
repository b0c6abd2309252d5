"""`streamer backtest`: a configuration and a recording in, the errors the daemon would have made out."""
