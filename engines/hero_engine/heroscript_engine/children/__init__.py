"""The processes of the HeroScript engine: a template, and the children that it forks."""
