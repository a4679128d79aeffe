// Command mutate removes one mechanism of the queue at a time and checks that
// a named test notices: a promise that no test defends is broken sooner or
// later. The list is in internal/list. "make mutants" runs all; it needs the
// engines that "dev with-engines" provides.
//
//	mutate [-list] [-at N] [name …]
//
// A name may be the beginning of several: "fence" tries all of the fence. The
// program ends with 1 when a mutation survived, or could not be tried.
//
// A package is built once, with all of its mutations; the environment variable
// MUTANT chooses one of them. All 156 took 2m12s on two processors. Where a test
// can only wait in vain, it waits for ten seconds (TEST_PATIENCE).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/etrainer/backend/tools/mutate/internal/list"
	"github.com/etrainer/backend/tools/mutate/internal/mutation"
	"github.com/etrainer/backend/tools/mutate/internal/trial"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutate: "+err.Error())
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	set := flag.NewFlagSet("mutate", flag.ContinueOnError)
	only := set.Bool("list", false, "list the mutations and try none")
	at := set.Int("at", min(runtime.NumCPU(), 4), "how many are tried at a time")
	if err := set.Parse(args); err != nil {
		return err
	}
	chosen, err := choose(set.Args())
	if err != nil {
		return err
	}
	if *only {
		for _, m := range chosen {
			fmt.Printf("%-28s %-24s %s\n", m.Name, m.In, m.Removes)
		}
		return nil
	}
	root, err := repository()
	if err != nil {
		return err
	}
	return try(ctx, root, chosen, max(*at, 1))
}

// choose returns the mutations whose names begin with one of the given ones;
// all where none is given.
func choose(names []string) ([]mutation.Mutation, error) {
	if len(names) == 0 {
		return list.All(), nil
	}
	var chosen []mutation.Mutation
	for _, name := range names {
		before := len(chosen)
		for _, m := range list.All() {
			if strings.HasPrefix(m.Name, name) {
				chosen = append(chosen, m)
			}
		}
		if len(chosen) == before {
			return nil, fmt.Errorf("no mutation is called %q; -list shows them", name)
		}
	}
	return chosen, nil
}

// repository finds the folder of go.work above the working directory.
func repository() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.work")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no go.work in or above the working directory: run this in the repository")
		}
		dir = parent
	}
}

func try(ctx context.Context, root string, mutations []mutation.Mutation, at int) (err error) {
	began := time.Now()
	bench, err := trial.NewBench(ctx, root, mutations)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, bench.Remove()) }()
	if err := bench.Check(ctx, mutations); err != nil {
		return err
	}
	fmt.Printf("%d mutations; without one all tests pass (%s)\n", len(mutations), time.Since(began).Round(time.Second))
	results := inParallel(ctx, bench, mutations, at)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	// What failed must have failed for the mutation, and not for an engine that
	// went away meanwhile.
	if err := bench.Check(ctx, mutations[len(mutations)-1:]); err != nil {
		return fmt.Errorf("after the last mutation: %w", err)
	}
	return report(os.Stdout, results, time.Since(began))
}

// inParallel tries the mutations, some at a time, and returns the results in
// their order.
func inParallel(ctx context.Context, bench *trial.Bench, mutations []mutation.Mutation, at int) []trial.Result {
	results := make([]trial.Result, len(mutations))
	next := make(chan int)
	var trying sync.WaitGroup
	for range at {
		trying.Go(func() {
			for i := range next {
				results[i] = bench.Try(ctx, mutations[i])
				printLine(os.Stdout, results[i])
			}
		})
	}
	for i := range mutations {
		if ctx.Err() == nil {
			next <- i
		}
	}
	close(next)
	trying.Wait()
	return results
}
