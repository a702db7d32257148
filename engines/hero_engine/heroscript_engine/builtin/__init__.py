"""The actions that every HeroScript may use, one module per family."""
