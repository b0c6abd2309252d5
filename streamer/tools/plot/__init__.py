"""`streamer plot`: what a series was and is forecast to be, drawn in the terminal or as a picture."""
