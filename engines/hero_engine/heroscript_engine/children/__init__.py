"""The processes of the HeroScript engine: the template, its children, and the engine's side of both."""
