"""A telephony gateway that runs beside Asterisk."""
