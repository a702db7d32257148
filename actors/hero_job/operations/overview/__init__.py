"""What operators ask of a deployment: lists of jobs, and why a job does not run."""
