// Command dev runs the whole product on one machine, without Docker or any
// installed database.
//
//	dev up                    api, worker, engines and demo data
//	dev db                    only the engines, until standard input closes
//	dev with-engines -- CMD   one command with engines of its own
//
// Run "dev help" for the flags.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// gcPercent trades memory for speed: the embedded database decodes a document
// of JSON for each document that it looks at, and its live heap is small.
const gcPercent = 400

// exitError ends the program with a code and without a message.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}

	os.Exit(run(context.Background(), os.Args[1:]))
}

// run returns the exit code: 0 for a clean end, 1 for a failure, or that of
// the command that was run.
func run(ctx context.Context, args []string) int {
	root := &cobra.Command{
		Use:           "dev",
		Short:         "Run the product on one machine, without Docker",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(upCommand(), dbCommand(), withEnginesCommand())
	root.SetArgs(args)

	err := root.ExecuteContext(ctx)

	var exit exitError

	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return int(exit)
	default:
		fmt.Fprintln(os.Stderr, "dev:", err)
		return 1
	}
}
