"""What users run beside the daemon: demo, replay, record, backtest, inspect and bench."""
