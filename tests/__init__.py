"""Tests by how much world they need: unit, postgres, asterisk, acceptance; `lab` is that world."""
