"""Scripts as jobs: where a script comes from, and how a person sees it run."""
