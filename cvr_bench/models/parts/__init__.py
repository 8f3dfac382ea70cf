"""What every model file may use."""
