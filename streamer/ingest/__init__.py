"""Messages in, one sample per series and tick out."""
