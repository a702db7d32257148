"""The methods by which operators look at a deployment: lists of jobs, and why a job does not run."""
