"""Real calls through a real Asterisk while everything around them dies; see README.md."""
