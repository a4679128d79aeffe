package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/etrainer/backend/tools/mutate/internal/trial"
)

// printLine prints one row of the table, as soon as it is known.
func printLine(out io.Writer, r trial.Result) {
	by := strings.Join(r.By, ", ")
	if r.Verdict != trial.Killed {
		by = "asked: " + strings.Join(r.Mutation.Tests, ", ")
	}
	_, _ = fmt.Fprintf(out, "%-9s  %-28s %6.1f s  %s\n", r.Verdict, r.Mutation.Name, r.Took.Seconds(), by)
}

// report says at the end what needs work, and fails if anything does.
func report(out io.Writer, results []trial.Result, took time.Duration) error {
	count := map[trial.Verdict]int{}
	for _, r := range results {
		count[r.Verdict]++
		if r.Verdict == trial.Killed {
			continue
		}
		_, _ = fmt.Fprintf(out, "\n%s: %s (%s)\n%s\n", r.Verdict, r.Mutation.Name, r.Mutation.In, r.Mutation.Removes)
		if r.Verdict != trial.Survived {
			_, _ = fmt.Fprintln(out, r.Reason())
		}
	}
	_, _ = fmt.Fprintf(out, "\n%d mutations in %s: %d killed, %d survived, %d too late, %d without a verdict\n", len(results), took.Round(time.Second),
		count[trial.Killed], count[trial.Survived], count[trial.Late], count[trial.NoVerdict])
	if bad := len(results) - count[trial.Killed]; bad > 0 {
		return fmt.Errorf("%d mutations were not killed: each needs a test that notices, or a new look at what it removes", bad)
	}
	return nil
}
