module github.com/etrainer/backend/tools/mutate

go 1.26.0
