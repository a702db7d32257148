module hero

go 1.21
