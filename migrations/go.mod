module github.com/etrainer/backend/migrations

go 1.26

require github.com/etrainer/backend/pkg v0.0.0

replace github.com/etrainer/backend/pkg => ../pkg
