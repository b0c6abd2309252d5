"""What the expressions of both dashboards are made of."""

ALL = 'instance=~"$instance"'
STREAM = f'{ALL}, stream=~"$stream"'
OURS = "and on (job, instance) streamer_build_info"


def rate(metric: str, selector: str, by: str) -> str:
    """Per second, summed by these labels."""
    return f"sum by ({by}) (rate({metric}{{{selector}}}[$__rate_interval]))"


def quantile(share: float) -> str:
    """Sample-to-forecast latency that this share of the forecasts keeps."""
    return f"histogram_quantile({share}, {rate('streamer_sample_to_forecast_seconds_bucket', STREAM, 'stream, le')})"
