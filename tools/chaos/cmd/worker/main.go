// Command worker is the worker that make chaos kills, stops and cuts off; see
// package internal/worker. Its argument is a worker.Options in JSON.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/etrainer/backend/tools/chaos/internal/worker"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "chaos worker: "+err.Error())
		os.Exit(1)
	}
}

func run() error {
	if len(os.Args) != 2 {
		return errors.New("needs one argument: its options in JSON")
	}
	var options worker.Options
	if err := json.Unmarshal([]byte(os.Args[1]), &options); err != nil {
		return fmt.Errorf("read the options: %w", err)
	}
	return worker.Run(context.Background(), options, os.Stdin)
}
