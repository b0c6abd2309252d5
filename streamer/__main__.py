"""python -m streamer is the same as streamer."""

from streamer.cli import main

main()
