"""Wallets, as actions of HeroScript."""
