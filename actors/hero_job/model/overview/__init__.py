"""What operators look at: which jobs a list shows, its pages, and why a job does not run. Plain data."""
