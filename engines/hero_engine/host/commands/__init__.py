"""Programs of scripts: functions use `running`; `keeper` is the process above the programs."""
