"""The processes of the HeroScript engine: the template, which forks one child per job, and the engine's side of them."""
