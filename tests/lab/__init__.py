"""A real Asterisk and real SIP phones on loopback addresses of their own."""
