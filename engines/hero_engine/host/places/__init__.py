"""Where the files of scripts are: scratch folders, and opening what is below a folder and nothing else."""
