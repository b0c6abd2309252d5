"""Selectors and expressions that both dashboards use."""

ALL = 'instance=~"$instance"'
STREAM = f'{ALL}, stream=~"$stream"'
OURS = "and on (job, instance) streamer_build_info"


def rate(metric: str, selector: str, by: str) -> str:
    """The rate per second of a counter, summed by these labels."""
    return f"sum by ({by}) (rate({metric}{{{selector}}}[$__rate_interval]))"


def quantile(share: float) -> str:
    """The latency from sample to forecast that this share of the forecasts does not exceed."""
    return f"histogram_quantile({share}, {rate('streamer_sample_to_forecast_seconds_bucket', STREAM, 'stream, le')})"
