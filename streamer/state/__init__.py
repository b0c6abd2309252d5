"""What is known of each series: its scale and its recurrent state."""
