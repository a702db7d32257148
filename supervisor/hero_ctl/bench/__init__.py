"""Measures a deployment for `heroctl bench`: several producer processes submit jobs, one summary comes out."""
