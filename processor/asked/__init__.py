"""What only the processor answers: indicators and candles on request."""
