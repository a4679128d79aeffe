module github.com/etrainer/backend/migrations

go 1.26

replace github.com/etrainer/backend/pkg => ../pkg
