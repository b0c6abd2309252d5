"""The two lanes that drive the streams: messages in, forecasts out; streams that are due in, new networks out."""
