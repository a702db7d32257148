"""The V engine: runs HeroScript with the `hero` program of the V side."""
