"""From characters to tokens, and back: how HeroScript is written."""
